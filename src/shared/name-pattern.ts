/** Patterns of names: `*` matches any number of characters, also none; every other character matches itself. */

/**
 * Letters whose case is ignored. `exact`: none. `unicode`: all, as in MySQL if it folds names. `ascii`: A to Z, as in
 * SQLite, D1 and DuckDB, which treat É and é as different.
 */
export type LetterCase = 'exact' | 'ascii' | 'unicode'

/** A text for a regular expression, with all its characters escaped. */
export function regexText(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)
}

/** Returns a function that tests a whole name against a pattern. */
export function namePattern(pattern: string, letters: LetterCase): (name: string) => boolean {
  const parts = pattern.split('*').map((part) => (letters === 'ascii' ? eitherCase(regexText(part)) : regexText(part)))
  const test = new RegExp(`^${parts.join('.*')}$`, letters === 'unicode' ? 'isu' : 'su')
  return (name) => test.test(name)
}

function eitherCase(source: string): string {
  return source.replaceAll(/[a-z]/gi, (letter) => `[${letter.toLowerCase()}${letter.toUpperCase()}]`)
}

/** The common form of names that are equal. */
export function foldedText(text: string, letters: LetterCase): string {
  if (letters === 'exact') return text
  return letters === 'unicode' ? text.toLowerCase() : text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
}
