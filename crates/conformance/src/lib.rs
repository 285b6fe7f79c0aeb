//! One suite that every store has to pass. The list of cases is written once, in [`conformance_suite!`], which makes
//! one named test of each:
//!
//! ```text
//! async fn open() -> (Arc<dyn Directory>, impl Drop) { … }
//! narthex_conformance::conformance_suite!(crate::open);
//! ```
//!
//! Each case gets a new, empty directory. The memory directory is the specification; where another store differs,
//! the other store is wrong.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::default_trait_access,
    clippy::assigning_clones,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests that another crate's test binary runs; their names say what they prove"
)]

pub mod access;
pub mod as_of;
pub mod audit_chain;
pub mod audit_retention;
pub mod declared;
pub mod deletion;
pub mod denials;
pub mod dice;
pub mod each;
pub mod erasure;
pub mod expiry;
pub mod external_ids;
pub mod keeping;
pub mod links;
pub mod logouts;
pub mod machine_keys;
pub mod marks;
pub mod names;
pub mod one_organization;
pub mod one_time;
pub mod order;
pub mod patterns;
pub mod records;
pub mod revocations;
pub mod seals;
pub mod session_lists;
pub mod session_walk;
pub mod sessions;
pub mod tags;
pub mod walk;
pub mod webhooks;
pub mod world;

/// Makes one test per case. `$open` is the path of a function without arguments whose future gives a new, empty
/// directory as an `Arc<dyn Directory>`, and something to keep while it is used.
#[macro_export]
macro_rules! conformance_suite {
    ($open:path) => {
        $crate::conformance_suite! { @each $open;
            links {
                first_use_makes_user_organization_team_and_links,
                the_same_token_again_writes_nothing,
                what_sync_gives_is_what_load_gives,
                mapped_fields_that_differ_are_updated_and_the_others_stay,
                an_unmapped_username_is_a_new_users_only,
                a_user_without_an_organization_is_fine,
                claim_links_only_add,
                an_administrator_takes_claim_links_and_leaves_what_tags_give,
                a_claimed_role_follows_the_newest_token,
                a_team_is_linked_but_never_moved,
                a_team_without_an_organization_is_left_alone,
                link_only_creates_nothing,
                provision_off_takes_tags_only,
                observe_writes_nothing,
                a_declared_organization_keeps_its_label,
                an_organization_has_met_whom_it_has_to_do_with,
            }
            names {
                an_organization_never_takes_a_name_that_is_taken,
                an_organization_never_takes_an_id_as_its_name,
                sec_a_former_name_goes_to_no_token,
                identifiers_compare_case_sensitively,
                long_and_unusual_text_survives,
            }
            order {
                an_old_token_never_undoes_a_newer_one,
                sec_unlisted_tag,
                sec_untrusted_issuer,
                listings_give_what_decisions_find,
                an_old_token_never_undoes_one_that_changed_nothing,
                each_issuer_has_its_own_order_of_tokens,
                a_plan_that_lost_its_snapshot_is_a_conflict,
                a_plan_rests_on_the_policy_it_saw,
                a_plan_that_fails_half_way_leaves_nothing,
            }
            marks {
                sec_an_undated_token_never_undoes_a_dated_one,
                sec_the_first_of_two_tokens_of_one_second_counts,
                sec_a_token_ahead_of_the_clock_is_not_the_newest,
                sec_an_older_token_leaves_the_newer_ones_tags,
                sec_changes_by_tokens_are_limited,
                sec_revoked_token_from_the_future,
            }
            tags {
                a_tag_grants_and_its_absence_closes,
                two_lists_give_the_higher_role,
                each_tag_has_a_grant_of_its_own,
                a_role_that_changes_closes_and_opens,
                an_organization_that_drops_the_tag_loses_the_member,
                the_platform_role_comes_and_goes_with_its_tag,
                tags_compare_exactly_and_near_misses_are_pointed_out,
                empty_texts_and_duplicates_count_for_nothing,
                tags_count_in_their_realm_only,
                one_issuer_leaves_the_grants_of_another,
                the_empty_list_removes_everything_in_the_realm,
                the_empty_list_may_spare_manual_grants,
                a_missing_claim_keeps_what_was_granted,
                manual_grants_survive_every_other_list,
                synced_grants_lapse_without_assertion,
                lapsed_grants_are_closed_when_they_lapsed,
                too_many_tags_are_refused,
                a_suspended_organization_keeps_its_members,
                carriers_are_told_apart_by_membership,
                other_tags_are_noted_with_the_next_batch,
            }
            each {
                a_token_states_all_organizations,
                an_empty_list_ends_what_was_stated_and_no_list_ends_nothing,
                sec_an_older_token_that_states_organizations_changes_nothing,
                sec_a_statement_ends_only_what_its_issuer_stated,
                one_organization_stated_twice_has_the_higher_role,
                sec_a_stated_team_never_moves,
                what_may_not_be_created_is_not_stated,
                a_claim_of_one_organization_is_told_from_a_statement,
            }
            patterns {
                a_tag_pattern_gives_roles_in_organizations_that_exist,
                a_tag_pattern_creates_an_organization_once,
                sec_a_token_creates_a_bounded_number_of_organizations,
                the_organization_that_was_there_first_keeps_its_tags,
                sec_a_tag_pattern_counts_only_while_it_is_configured,
                sec_an_organization_can_refuse_tag_patterns,
                sec_tag_patterns_stay_in_their_realm,
                sec_a_taken_name_is_not_what_a_tag_pattern_creates,
                a_listed_tag_and_a_tag_pattern_each_have_a_grant,
                the_empty_list_removes_what_tag_patterns_gave,
            }
            one_organization {
                an_issuer_of_one_organization_gives_roles_across_realms,
                sec_grants_of_an_issuer_that_became_one_of_one_organization,
            }
            access {
                sec_disabled_user,
                sec_disabled_org,
                sec_prehijack,
                sec_email_takeover,
                sec_email_parse,
                a_taken_username_is_a_conflict,
                signing_out_everywhere_refuses_older_tokens,
                manual_grants_need_an_organization_that_takes_them,
                a_manual_role_is_replaced_and_revoked,
                becoming_external_only_closes_manual_grants,
                closed_grants_are_told_in_their_order,
                history_tells_who_had_which_role_when,
                versions_move_when_an_answer_may_change,
                first_uses_move_nothing,
            }
            records {
                users_are_made_found_and_edited,
                users_are_listed_in_pages,
                a_cursor_that_the_list_did_not_give_is_refused,
                unique_things_are_taken_once,
                a_stale_version_is_refused,
                organizations_are_made_and_edited,
                organizations_are_found_by_each_filter,
                members_are_listed_with_their_highest_role,
                teams_are_made_listed_and_moved_by_hand,
                missing_records_are_not_found,
            }
            deletion {
                an_empty_organization_is_deleted_and_its_name_stays_taken,
                an_organization_with_content_is_deleted_only_on_purpose,
                sec_deleted_organization,
            }
            expiry {
                a_manual_grant_ends_when_it_expires,
                a_token_closes_an_expired_grant_as_expired,
            }
            external_ids {
                external_ids_change_all_or_none,
            }
            erasure {
                sec_erased_user,
                an_erased_user_leaves_no_personal_value,
                roles_of_an_erased_user_stay_on_record,
                a_user_may_come_back_with_a_newer_token,
                a_disabled_user_stays_out_until_the_erasure_is_lifted,
                what_is_erased_is_not_changed,
                sec_an_erasure_leaves_the_logouts_of_other_users,
                sec_no_use_brings_the_tags_of_an_erased_user_back,
            }
            declared {
                declared_organizations_are_read_only_elsewhere,
                declaring_twice_changes_nothing,
                sec_declared_over_a_claim,
                what_a_declaration_meets_is_named,
            }
            keeping {
                logos_are_kept_and_removed,
                text_breaks_rules_before_it_is_kept,
                uses_are_written_when_flushed,
                tags_seen_and_carried_are_known,
                api_keys_are_found_by_hash_and_revoked,
                assertion_keys_rotate_once,
                key_sets_are_kept_per_issuer,
                documents_are_saved_as_they_were_seen,
                documents_are_listed_and_deleted,
                events_tell_every_change_in_order,
                events_are_filtered_and_paged_both_ways,
                the_store_is_healthy,
            }
            sessions {
                a_session_is_found_by_its_hash_while_it_stands,
                a_session_lives_on_by_its_uses_and_not_past_its_end,
                a_session_that_breaks_a_rule_is_refused,
                a_session_gets_its_user_once,
                sec_a_refresh_is_claimed_once,
                sec_a_lost_refresh_ends_the_session,
                sec_a_replaced_secret_is_good_for_nothing,
                sec_ended_sessions_are_over_at_once,
                sec_sessions_without_sid_are_ended_by_their_subject,
                sec_a_session_without_a_user_moves_its_own_version,
                sec_signing_out_everywhere_ends_sessions,
                sec_disabling_a_user_ends_sessions,
            }
            session_lists {
                sessions_are_listed_by_each_filter_in_pages,
                sessions_are_deleted_a_day_after_their_end,
            }
            one_time {
                sec_a_one_time_value_is_taken_once,
                an_expired_one_time_value_is_good_for_nothing,
                one_time_values_are_bounded,
            }
            logouts {
                sec_tokens_of_an_ended_sid_are_refused,
                sec_older_tokens_of_a_logged_out_subject_are_refused,
                sec_a_logout_ends_cached_answers,
                sec_a_plan_from_before_a_logout_is_a_conflict,
                logout_marks_are_kept_until_their_tokens_have_expired,
            }
            revocations {
                sec_a_revocation_ends_cached_answers_and_has_the_highest_number,
                sec_a_number_of_a_revocation_is_not_given_again,
                a_jti_that_no_revocation_can_name_is_refused,
            }
            denials {
                denials_are_found_for_an_hour_and_listed_newest_first,
            }
            as_of {
                roles_at_every_instant_are_those_that_were_answered_then,
                role_changes_are_counted_by_day,
                tags_that_were_never_seen_are_told_from_those_that_were,
            }
            audit_chain {
                the_chain_is_extended_where_it_ends_and_read_in_parts,
                sec_two_nodes_never_extend_the_chain_at_once,
                checkpoints_are_kept_with_their_links,
                the_first_key_of_checkpoints_stays,
                events_are_found_by_actor_and_by_text,
            }
            audit_retention {
                a_cut_leaves_the_link_and_the_checkpoint_of_its_number,
                sec_a_number_is_not_given_again_after_a_cut,
                old_refusals_go_and_their_links_stay,
            }
            seals {
                a_sealed_event_keeps_its_seals,
                sec_an_erasure_leaves_the_seals_and_no_key,
                sec_no_event_is_sealed_with_a_key_from_before_an_erasure,
            }
            machine_keys {
                machine_keys_are_found_by_hash_and_by_id,
                a_machine_key_acts_as_a_service_with_its_role_alone,
                sec_machine_key_ends,
                uses_of_machine_keys_are_recorded_together,
            }
            webhooks {
                one_node_has_the_lease_of_the_sender,
                a_lease_that_is_given_up_is_taken_at_once,
                a_settlement_needs_the_lease_and_the_version,
                deliveries_wait_and_are_delivered_or_given_up,
                a_replay_drops_what_comes_again,
                what_waits_is_tried_at_once_when_asked,
                attempts_are_listed_newest_first_and_bounded,
                dead_letters_are_kept_for_a_time,
                a_forgotten_webhook_leaves_nothing,
                a_settlement_of_two_webhooks_is_refused,
            }
        }
    };
    (@each $open:path; $($module:ident { $($case:ident),* $(,)? })*) => {
        $(mod $module {
            $(
                #[tokio::test]
                async fn $case() {
                    let (directory, _kept) = $open().await;
                    $crate::$module::$case(&*directory).await;
                }
            )*
        })*
    };
}
