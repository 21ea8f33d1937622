/**
 * Patterns of names as people write them: `*` stands for any characters, also none; every other character is itself.
 */

/**
 * Which letters are one: `exact`, none; `ascii`, A and a as SQLite, D1 and DuckDB have it, which know É and é for two
 * names; `unicode`, all of them, as MySQL where it folds names.
 */
export type LetterCase = 'exact' | 'ascii' | 'unicode'

/** A text within a regular expression, whose characters all stand for themselves. */
export function regexText(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)
}

/** The test that a name fits a pattern as a whole. */
export function namePattern(pattern: string, letters: LetterCase): (name: string) => boolean {
  const parts = pattern.split('*').map((part) => (letters === 'ascii' ? eitherCase(regexText(part)) : regexText(part)))
  const test = new RegExp(`^${parts.join('.*')}$`, letters === 'unicode' ? 'isu' : 'su')
  return (name) => test.test(name)
}

function eitherCase(source: string): string {
  return source.replaceAll(/[a-z]/gi, (letter) => `[${letter.toLowerCase()}${letter.toUpperCase()}]`)
}

/** What names have in common that are one. */
export function foldedText(text: string, letters: LetterCase): string {
  if (letters === 'exact') return text
  return letters === 'unicode' ? text.toLowerCase() : text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
}
