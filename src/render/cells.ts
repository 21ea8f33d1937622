/** Text measured in terminal cells. */

/** Terminal cells of a text: East Asian wide characters and emoji take two, combining marks none. */
export function cells(text: string): number {
  if (/^[\u0020-\u007e]*$/.test(text)) return text.length
  let width = 0
  for (const char of text) {
    if (/\p{Mark}|\p{Cf}/u.test(char)) continue
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
        char,
      )
        ? 2
        : 1
  }
  return width
}

/** Pads to a width in terminal cells. */
export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const space = ' '.repeat(Math.max(0, width - cells(text)))
  return align === 'left' ? text + space : space + text
}

/** Cuts a text in the middle to `most` cells, because both ends distinguish commands and paths. */
export function cutInMiddle(text: string, most: number): string {
  if (cells(text) <= most) return text
  const characters = Array.from(text)
  const room = Math.max(1, most - 3)
  const tail = end(characters.toReversed(), Math.floor(room / 3)).toReversed()
  return `${end(characters, room - cells(tail.join(''))).join('')}...${tail.join('')}`
}

/** The first characters that fit. */
function end(characters: readonly string[], room: number): readonly string[] {
  let left = room
  const over = characters.findIndex((character) => (left -= cells(character)) < 0)
  return over === -1 ? characters : characters.slice(0, over)
}
