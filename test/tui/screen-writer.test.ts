import { PassThrough } from 'node:stream'
import xterm from '@xterm/headless'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ScreenWriter, sizeOf } from '../../src/tui/terminal/screen-writer.ts'

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
const frame = fc.array(row, { minLength: ROWS, maxLength: ROWS }).map((rows) => rows.join('\n'))

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
      for (const f of frames) screen.write(f)
      const fresh = writer()
      fresh.screen.write(frames.at(-1) ?? '')
      await new Promise((resolve) => setImmediate(resolve))
      expect(await cellsAfter(taken())).toBe(await cellsAfter(fresh.taken()))
    }),
    { numRuns: 150 },
  )
})

it('writes nothing for the same frame, and only the cells that changed', async () => {
  const { screen, taken } = writer()
  screen.write('one\ntwo\nthree')
  await new Promise((resolve) => setImmediate(resolve))
  const before = taken().length
  screen.write('one\ntwo\nthree')
  screen.write('\u001b[?25h')
  await new Promise((resolve) => setImmediate(resolve))
  expect(taken().length).toBe(before)
  screen.write('one\ntwi\nthree')
  await new Promise((resolve) => setImmediate(resolve))
  expect(taken().slice(before)).toBe('\u001b[?2026h\u001b[2;3Hi\u001b[?2026l')
})

it('leaves frames out while the terminal cannot take them, and shows the newest afterwards', () => {
  const written: string[] = []
  const out = Object.assign(new PassThrough(), { columns: COLUMNS, rows: ROWS })
  out.write = (chunk: unknown) => {
    written.push(String(chunk))
    return false
  }
  const screen = new ScreenWriter(out as unknown as NodeJS.WriteStream)
  screen.write('first')
  for (let i = 0; i < 100; i += 1) screen.write(`frame ${i}`)
  expect(written).toHaveLength(1)
  out.emit('drain')
  expect(written).toHaveLength(2)
  expect(written[1]).toContain('99')
})

it('takes 80×24 for a terminal without a size', () => {
  expect(sizeOf({ columns: 0, rows: 0 })).toEqual({ columns: 80, rows: 24 })
  expect(sizeOf({})).toEqual({ columns: 80, rows: 24 })
  expect(sizeOf({ columns: 100, rows: 30 })).toEqual({ columns: 100, rows: 30 })
})
