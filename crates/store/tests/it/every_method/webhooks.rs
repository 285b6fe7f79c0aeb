//! The methods of `Webhooks`.

use narthex_conformance::webhooks::{HOOK, attempt, lease, settle, settlement, waiting};
use narthex_directory::{Cursor, Page, Settlement, WaitingState};

use super::Caller;

impl Caller<'_> {
    pub(super) async fn webhooks(&mut self) {
        assert!(lease(&self.world, "a").await);
        self.told("lease_webhooks");
        let first = Settlement {
            waiting: vec![waiting(&self.world, 1), waiting(&self.world, 2)],
            attempts: vec![attempt(&self.world, 1, 1)],
            delivered: vec![3],
            ..settlement(&self.world, 1, 3)
        };
        assert!(settle(&self.world, first).await);
        self.told("settle_webhook");
        self.directory().webhook_progress().await.unwrap();
        self.told("webhook_progress");
        for page in [Page::default(), Page::after(Cursor::new("1"), 5)] {
            for state in [WaitingState::Waiting, WaitingState::Dead] {
                let listed = self
                    .directory()
                    .waiting_deliveries(HOOK.into(), state, page.clone())
                    .await;
                listed.unwrap();
                self.told("waiting_deliveries");
            }
            self.directory().delivery_attempts(HOOK.into(), page).await.unwrap();
            self.told("delivery_attempts");
        }
        let now_ms = self.world.now_ms;
        self.directory().retry_webhook(HOOK.into(), true, now_ms).await.unwrap();
        self.told("retry_webhook");
        self.directory().replay_webhook(HOOK.into(), 1).await.unwrap();
        self.told("replay_webhook");
        assert_eq!(self.directory().forget_webhook(HOOK.into()).await, Ok(true));
        self.told("forget_webhook");
        assert_eq!(self.directory().release_webhooks("a".into()).await, Ok(true));
        self.told("release_webhooks");
    }
}
