/** Node 20 has `isWellFormed`, but TypeScript's library for Node 20 does not declare it. */
type Checked = string & { isWellFormed(): boolean }

/** False for a text with half a character (a surrogate without its pair), which has no form in UTF-8. */
export function isWellFormed(text: string): boolean {
  return (text as Checked).isWellFormed()
}
