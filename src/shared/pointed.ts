/** Messages that show a position in a text: a line of words, the text below it, and a caret under the position. */

export type PointedMessage = {
  /** The words, one line. */
  readonly words: string
  readonly source: string
  /** Characters before the position. */
  readonly at: number
}

/** A message with the text and the caret below the words, so that it is readable as a whole in any log. */
export function pointedMessage({ words, source, at }: PointedMessage): string {
  return `${words}\n  ${source}\n  ${' '.repeat(at)}^`
}

/** The parts of a `pointedMessage`; null for any other message. */
export function pointedIn(message: string): PointedMessage | null {
  const [, words, source, before] = /^(.*)\n {2}(.*)\n {2}( *)\^$/.exec(message) ?? []
  if (words === undefined || source === undefined || before === undefined) return null
  return { words, source, at: before.length }
}

/** A message without the text and the caret of a `pointedMessage`, for places with a single line. */
export function withoutPointer(text: string): string {
  return text.replace(/\n {2}.*\n {2} *\^/, '')
}

/**
 * As much of the text around the position as fits, with the caret below it.
 * @param width returns the number of cells that a text takes
 * @param cells available width, at least 8
 */
export function pointerLines(
  { source, at }: PointedMessage,
  cells: number,
  width: (text: string) => number,
): readonly [source: string, caret: string] {
  const characters = Array.from(source)
  let from = 0
  // Keep a third of the width for the text after the position.
  while (from < at && width(characters.slice(from, at).join('')) > (cells * 2) / 3) from += 1
  const head = (from > 0 ? '…' : '') + characters.slice(from, at).join('')
  let shown = head
  for (const character of characters.slice(at)) {
    if (width(shown + character) >= cells) {
      shown += '…'
      break
    }
    shown += character
  }
  return [shown, `${' '.repeat(width(head))}^`]
}
