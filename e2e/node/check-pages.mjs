// Checks pages by the HTML standard and WCAG: npm `html-validate`.
//
//   node check-pages.mjs FILE...
//
// It prints a line for each rule that a page breaks, and exits with 1 if there is one.
import { HtmlValidate, StaticConfigLoader } from "html-validate";

const loader = new StaticConfigLoader({
  root: true,
  extends: ["html-validate:standard", "html-validate:a11y"],
  rules: {
    // A list of links has the name of the heading above it, which ARIA allows for every element with a role.
    "aria-label-misuse": ["error", { allowAnyNamable: true }],
    // A button of a form submits it (HTML Standard, section 4.10.6); `type` is there where a button does not.
    "no-implicit-button-type": "off",
  },
});
const validator = new HtmlValidate(loader);

// Enter submits "Find anything", and its page has a button.
const isExpected = ({ ruleId, selector }) => ruleId === "wcag/h32" && selector === "#nav > form";

let broken = 0;
for (const file of process.argv.slice(2)) {
  const report = await validator.validateFile(file);
  const messages = report.results.flatMap((result) => result.messages).filter((message) => !isExpected(message));
  for (const { line, column, ruleId, message } of messages) {
    console.log(`${file}:${line}:${column}: ${ruleId}: ${message}`);
  }
  broken += messages.length;
}
process.exitCode = broken === 0 ? 0 : 1;
