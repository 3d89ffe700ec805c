// The texts of the page, from the message catalogue that the gateway put into it.

const texts = JSON.parse(document.getElementById("words").textContent);

export const language = document.documentElement.lang;
const plurals = new Intl.PluralRules(language);

/** The text of that key, with its {placeholders} filled. */
export function say(key, values = {}) {
  return texts[key].replace(/\{(\w+)\}/g, (placeholder, name) => values[name] ?? placeholder);
}

/** The text for that many: the keys are `key-one` and `key-other`; `shown` is the number as it is read. */
export function sayCount(key, n, shown, values = {}) {
  return say(`${key}-${plurals.select(n) === "one" ? "one" : "other"}`, { n: shown, ...values });
}
