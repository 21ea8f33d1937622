import { PassThrough } from 'node:stream'
import xterm from '@xterm/headless'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { width } from '../../src/render/screen-text.ts'
import { rowMark } from '../../src/tui/terminal/row-mark.ts'
import { ScreenWriter, terminalSize } from '../../src/tui/terminal/screen-writer.ts'
import stringWidth from 'string-width'

const COLUMNS = 24
const ROWS = 4

const styled = fc.record({
  text: fc.constantFrom('a', 'bb', ' ', '   ', '│', '█▌', '地', '…', 'x y', 'é'),
  open: fc.constantFrom('', '\u001b[1m', '\u001b[2m', '\u001b[7m', '\u001b[36m'),
})
const CLOSE: Readonly<Record<string, string>> = {
  '': '',
  '\u001b[1m': '\u001b[22m',
  '\u001b[2m': '\u001b[22m',
  '\u001b[7m': '\u001b[27m',
  '\u001b[36m': '\u001b[39m',
}
const row = fc.array(styled, { maxLength: 8 }).map((parts) =>
  parts
    .map((p) => p.open + p.text + CLOSE[p.open])
    .join('')
    .trimEnd(),
)
const frame = fc.array(row, { minLength: ROWS, maxLength: ROWS })

/** The text of a frame for Ink: each row after its mark, without rows that are in `shown` already. */
function marked(rows: readonly string[], shown: readonly string[] = []): string {
  return rows.flatMap((text, i) => (text === shown[i] ? [] : [rowMark(i) + text])).join('\n')
}

async function cellsAfter(bytes: string): Promise<string> {
  const terminal = new xterm.Terminal({ cols: COLUMNS, rows: ROWS, allowProposedApi: true })
  await new Promise<void>((resolve) => {
    terminal.write(bytes, resolve)
  })
  const out: string[] = []
  for (let y = 0; y < ROWS; y += 1)
    for (let x = 0; x < COLUMNS; x += 1) {
      const cell = terminal.buffer.active.getLine(y)?.getCell(x)
      const text = cell?.getChars() ?? ''
      out.push(`${text === '' ? ' ' : text}${cell?.isBold()}${cell?.isDim()}${cell?.isInverse()}${cell?.getFgColor()}`)
    }
  return out.join('|')
}

function writer(): { readonly screen: ScreenWriter; readonly taken: () => string } {
  const out = Object.assign(new PassThrough(), { columns: COLUMNS, rows: ROWS })
  let taken = ''
  out.on('data', (chunk: Buffer) => {
    taken += chunk.toString()
  })
  return { screen: new ScreenWriter(out as unknown as NodeJS.WriteStream), taken: () => taken }
}

it('shows the last of many frames exactly as if it were the only one', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { minLength: 2, maxLength: 5 }), async (frames) => {
      const { screen, taken } = writer()
      for (const [i, f] of frames.entries()) screen.write(marked(f, frames[i - 1]))
      const fresh = writer()
      fresh.screen.write(marked(frames.at(-1) ?? []))
      await new Promise((resolve) => setImmediate(resolve))
      expect(await cellsAfter(taken())).toBe(await cellsAfter(fresh.taken()))
    }),
    { numRuns: 150 },
  )
})

it('writes nothing for an equal frame, and otherwise only changed cells', async () => {
  const { screen, taken } = writer()
  screen.write(marked(['one', 'two', 'three']))
  await new Promise((resolve) => setImmediate(resolve))
  const before = taken().length
  screen.write(marked(['one', 'two', 'three']))
  screen.write('\u001b[?25h')
  await new Promise((resolve) => setImmediate(resolve))
  expect(taken().length).toBe(before)
  screen.write(marked(['one', 'twi', 'three'], ['one', 'two', 'three']))
  await new Promise((resolve) => setImmediate(resolve))
  expect(taken().slice(before)).toBe('\u001b[?2026h\u001b[2;3Hi\u001b[?2026l')
})

it('skips frames while the terminal is blocked, and then shows the newest', () => {
  const written: string[] = []
  const out = Object.assign(new PassThrough(), { columns: COLUMNS, rows: ROWS })
  out.write = (chunk: unknown) => {
    written.push(String(chunk))
    return false
  }
  const screen = new ScreenWriter(out as unknown as NodeJS.WriteStream)
  screen.write(marked(['first']))
  for (let i = 0; i < 100; i += 1) screen.write(marked([`frame ${i}`]))
  expect(written).toHaveLength(1)
  out.emit('drain')
  expect(written).toHaveLength(2)
  expect(written[1]).toContain('99')
})

it('keeps the last column after the terminal has become narrower', async () => {
  const out = Object.assign(new PassThrough(), { columns: COLUMNS + 2, rows: ROWS })
  let taken = ''
  out.on('data', (chunk: Buffer) => {
    taken += chunk.toString()
  })
  const screen = new ScreenWriter(out as unknown as NodeJS.WriteStream)
  const box = (columns: number): string[] => Array.from({ length: ROWS }, () => `│${' '.repeat(columns - 2)}│`)
  screen.write(marked(box(COLUMNS + 2)))
  await new Promise((resolve) => setImmediate(resolve))
  out.columns = COLUMNS
  taken = ''
  // The frame for the wider terminal is drawn once more before the first one for the new width.
  screen.repaint()
  screen.write(marked(box(COLUMNS)))
  await new Promise((resolve) => setImmediate(resolve))
  const fresh = writer()
  fresh.screen.write(marked(box(COLUMNS)))
  await new Promise((resolve) => setImmediate(resolve))
  expect(await cellsAfter(`\u001b[?7l${taken}`)).toBe(await cellsAfter(fresh.taken()))
})

it('writes nothing for a row without a mark', async () => {
  const { screen, taken } = writer()
  screen.write('Error: what Ink says itself\n\n at nowhere')
  await new Promise((resolve) => setImmediate(resolve))
  expect(taken()).toBe('')
})

it('counts the cells of each character like string-width', () => {
  for (let code = 0x20; code <= 0xffff; code += 1) {
    // Skip half surrogate pairs and control characters, which no row contains.
    if ((code >= 0xd800 && code <= 0xdfff) || (code >= 0x7f && code <= 0x9f)) continue
    const text = String.fromCharCode(code)
    if (width(text) !== stringWidth(text)) throw new Error(`U+${code.toString(16)}: ${width(text)} cells`)
  }
})

it('uses 80×24 for a terminal without a size', () => {
  expect(terminalSize({ columns: 0, rows: 0 })).toEqual({ columns: 80, rows: 24 })
  expect(terminalSize({})).toEqual({ columns: 80, rows: 24 })
  expect(terminalSize({ columns: 100, rows: 30 })).toEqual({ columns: 100, rows: 30 })
})
