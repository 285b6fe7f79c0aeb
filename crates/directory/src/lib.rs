//! Users, organizations, teams and grants; the sync planner; the Directory trait and its memory store.
