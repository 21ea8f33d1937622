/** Node 20 has `isWellFormed`, but TypeScript's library for Node 20 does not declare it. */
type Checked = string & { isWellFormed(): boolean }

/** False for a text with a lone surrogate, which UTF-8 cannot encode. */
export function isWellFormed(text: string): boolean {
  return (text as Checked).isWellFormed()
}
