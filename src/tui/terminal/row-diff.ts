/**
 * Output that turns one row of the screen into another, writing only changed cells. Moving a cursor then costs about a
 * hundred bytes, even if three panes share a row of 200 cells.
 */
import { width } from '../../render/screen-text.ts'

type Cells = { readonly chars: readonly string[]; readonly styles: readonly string[] }

const SGR = /\u001b\[([0-9;]*)m/g
/** Maximum number of unchanged cells that are written again instead of moving the cursor over them. */
const BRIDGE = 12

type Style = { color: string; bold: boolean; dim: boolean; inverse: boolean }

/** @returns false for a code that the theme does not use. */
function apply(style: Style, code: string): boolean {
  const n = code === '' ? 0 : Number(code)
  if (n === 0) Object.assign(style, { color: '', bold: false, dim: false, inverse: false })
  else if (n === 1) style.bold = true
  else if (n === 2) style.dim = true
  else if (n === 22) Object.assign(style, { bold: false, dim: false })
  else if (n === 7) style.inverse = true
  else if (n === 27) style.inverse = false
  else if (n === 39) style.color = ''
  else if ((n >= 30 && n <= 37) || (n >= 90 && n <= 97)) style.color = code
  else return false
  return true
}

function codeOf(style: Style): string {
  const codes = [style.bold ? '1' : '', style.dim ? '2' : '', style.inverse ? '7' : '', style.color].filter(
    (c) => c !== '',
  )
  return codes.length === 0 ? '' : `\u001b[${codes.join(';')}m`
}

/** The cells of a row. Null if a character is not exactly one cell wide, or if a code is unknown. */
function cellsOf(row: string): Cells | null {
  const chars: string[] = []
  const styles: string[] = []
  const style: Style = { color: '', bold: false, dim: false, inverse: false }
  let at = 0
  const put = (text: string): boolean => {
    const parts = Array.from(text)
    if (parts.length !== width(text)) return false
    const code = codeOf(style)
    for (const part of parts) {
      // Each character is tested, because a wide and a zero-width character together would have the expected width.
      if (part > '\u02ff' && width(part) !== 1) return false
      chars.push(part)
      styles.push(code)
    }
    return true
  }
  for (const match of row.matchAll(SGR)) {
    if (!put(row.slice(at, match.index))) return null
    if (!(match[1] ?? '').split(';').every((code) => apply(style, code))) return null
    at = match.index + match[0].length
  }
  return put(row.slice(at)) ? { chars, styles } : null
}

/**
 * Output that turns row `line` (from 1) from `from` into `to`; null if the whole row must be written.
 * @param columns of the terminal; a wider row is written whole, because its last cells overlap in the last column
 */
export function rowDiff(from: string, to: string, line: number, columns: number): string | null {
  const a = cellsOf(from)
  const b = cellsOf(to)
  if (a === null || b === null || a.chars.length > columns || b.chars.length > columns) return null
  const size = Math.max(a.chars.length, b.chars.length)
  const same = (i: number): boolean =>
    (a.chars[i] ?? ' ') === (b.chars[i] ?? ' ') && (a.styles[i] ?? '') === (b.styles[i] ?? '')
  let out = ''
  for (let i = 0; i < size; i += 1) {
    if (same(i)) continue
    let end = i
    for (let j = i + 1; j < size && j - end <= BRIDGE; j += 1) if (!same(j)) end = j
    out += `\u001b[${line};${i + 1}H`
    let style = ''
    for (let j = i; j <= end; j += 1) {
      const next = b.styles[j] ?? ''
      if (next !== style) out += `\u001b[0m${next}`
      style = next
      out += b.chars[j] ?? ' '
    }
    if (style !== '') out += '\u001b[0m'
    i = end
  }
  return out
}
