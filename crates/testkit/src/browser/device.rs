//! Size, colours and keys of a browser, and checks of the page that it shows.

use anyhow::{Context as _, Result, bail};
use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use serde_json::{Value, json};

use super::{Browser, Post};
use crate::repository;

/// Maximum number of presses of Tab until an element is taken for out of reach of the keyboard.
const TABS_MAX: usize = 80;

/// Keys of `WebDriver` (W3C Recommendation, section 17.4.2).
const TAB: char = '\u{e004}';
const ENTER: char = '\u{e007}';
const CONTROL: char = '\u{e009}';

/// Script that says the name of the element with the focus, as a screen reader does: its label, or its text.
const FOCUSED: &str = "const element = document.activeElement;
    const label = element.labels?.[0] ?? element;
    return (element.getAttribute('aria-label') ?? label.innerText ?? '').trim().replaceAll(/\\s+/g, ' ');";

/// Script that runs axe-core, which is in the page, and tells each violation with the first elements that have it.
const AXE: &str = "const [done] = arguments;
    for (const details of document.querySelectorAll('details')) details.open = true;
    const told = (violation) => `${violation.id} (${violation.impact}): ` + violation.nodes.slice(0, 3)
        .map((node) => `${node.target.join(' ')} ${node.any[0]?.message ?? ''}`).join('; ');
    axe.run(document, { resultTypes: ['violations'] })
        .then((results) => done(results.violations.map(told)))
        .catch((error) => done([String(error)]));";

impl Browser {
    /// Shows pages at this size, in CSS pixels. A window of the browser cannot be as narrow as a phone.
    pub async fn resize(&self, width: u32, height: u32) -> Result<()> {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.command("Emulation.setDeviceMetricsOverride", &size).await
    }

    /// Shows pages as on a system that prefers these colours: `light` or `dark`.
    pub async fn prefer(&self, colours: &str) -> Result<()> {
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": colours }] });
        self.command("Emulation.setEmulatedMedia", &media).await
    }

    /// Switches the scripts of pages off. Those of tests run all the same.
    pub async fn without_scripts(&self) -> Result<()> {
        let off = json!({ "value": true });
        self.command("Emulation.setScriptExecutionDisabled", &off).await
    }

    /// Sends a command of the Chrome `DevTools` Protocol.
    async fn command(&self, command: &str, parameters: &Value) -> Result<()> {
        let body = json!({ "cmd": command, "params": parameters });
        self.driver.issue_cmd(Post("goog/cdp/execute", body)).await?;
        Ok(())
    }

    /// Takes a picture of what the window shows, as PNG.
    pub async fn screenshot(&self) -> Result<Vec<u8>> {
        Ok(self.driver.screenshot().await?)
    }

    /// Presses these keys one after the other, wherever the focus is.
    pub async fn keys(&self, keys: &str) -> Result<()> {
        let presses = keys
            .chars()
            .fold(KeyActions::new("keyboard".to_owned()), |presses, value| {
                presses.then(KeyAction::Down { value }).then(KeyAction::Up { value })
            });
        Ok(self.driver.perform_actions(presses).await?)
    }

    /// Presses a key while Control is held.
    pub async fn with_control(&self, key: char) -> Result<()> {
        let presses = KeyActions::new("keyboard".to_owned())
            .then(KeyAction::Down { value: CONTROL })
            .then(KeyAction::Down { value: key })
            .then(KeyAction::Up { value: key })
            .then(KeyAction::Up { value: CONTROL });
        Ok(self.driver.perform_actions(presses).await?)
    }

    /// Presses Enter.
    pub async fn enter(&self) -> Result<()> {
        self.keys(&ENTER.to_string()).await
    }

    /// Name of the element with the focus, as a screen reader says it.
    pub async fn focused(&self) -> Result<String> {
        let name = self.run(FOCUSED).await?;
        Ok(name.as_str().unwrap_or_default().to_owned())
    }

    /// Presses Tab until the element of this name has the focus.
    pub async fn tab_to(&self, name: &str) -> Result<()> {
        let mut passed = Vec::new();
        for _ in 0..TABS_MAX {
            self.keys(&TAB.to_string()).await?;
            let focused = self.focused().await?;
            if focused == name {
                return Ok(());
            }
            passed.push(focused);
        }
        bail!("Tab does not lead to `{name}`, only to {passed:?}")
    }

    /// Violations of the rules of axe-core on the page, of every level, with all disclosures open.
    pub async fn violations(&self) -> Result<Vec<String>> {
        if self.run("return typeof axe").await? != "object" {
            let file = repository().join("e2e/node/node_modules/axe-core/axe.min.js");
            let axe = std::fs::read_to_string(&file)
                .with_context(|| format!("reading {}: run `cargo xtask setup`", file.display()))?;
            self.run(&axe).await?;
        }
        let found = self.driver.execute_async(AXE, Vec::new()).await?;
        let found = found.as_array().context("axe-core gives a list")?.iter();
        Ok(found
            .map(|violation| violation.as_str().unwrap_or_default().to_owned())
            .collect())
    }

    /// Tests whether the page is wider than the window.
    pub async fn scrolls_sideways(&self) -> Result<bool> {
        let wider = self
            .run("return document.documentElement.scrollWidth > document.documentElement.clientWidth")
            .await?;
        Ok(wider == true)
    }
}
