/** A prompt accepts a typed line only with the enter key as a separate read. */
import { PassThrough } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { readLine } from '../../src/cli/confirm/prompt.ts'
import { Memory } from './surroundings.ts'

const E = '\u001b'

function prompt(isTTY = false): { stdin: PassThrough; err: Memory; raw: boolean[]; line: Promise<string | null> } {
  const raw: boolean[] = []
  const stdin = Object.assign(new PassThrough(), { isTTY, setRawMode: (isRaw: boolean) => raw.push(isRaw) })
  const err = new Memory()
  const streams = { stdin: stdin as unknown as NodeJS.ReadStream, stderr: err as unknown as NodeJS.WriteStream }
  return { stdin, err, raw, line: readLine('name? ', streams) }
}

/** Separate reads, and the resulting line; '…' if the prompt still waits. */
const READS: readonly (readonly [reads: readonly string[], line: string | null])[] = [
  [['a', 'b', '\r'], 'ab'],
  [['ab', '\r'], 'ab'],
  [['ab\r'], '…'],
  [['ab\r', '\r'], 'ab'],
  [[`${E}[200~ab\r${E}[201~`], '…'],
  [[`${E}[200~ab\r\ncd\t${E}[A${E}[201~`, '\r'], String.raw`abcd \x1b[A`],
  [[`${E}[200~ab${E}[201~\r`], '…'],
  [['a', `${E}[<35;10;6M`, `${E}[6;10R`, `${E}]11;rgb:0/0/0${E}\\`, 'b', '\r'], 'ab'],
  [['a', ...Array.from(`${E}[<35;10;6M`), 'b', '\r'], 'ab'],
  [['b', `${E}[D`, 'a', `${E}[C`, 'x', '\u007f', '\r'], 'ab'],
  [['a', 'b', '\u0001', `${E}[3~`, '\r'], 'b'],
  [['x', '\u0015', 'a', '\r'], 'a'],
  [['a', '\u0003'], null],
  [['\u0004'], ''],
  [[`${E}[97u`, `${E}[13u`], 'a'],
]

it.each(READS)('%j is %j', async (reads, line) => {
  const { stdin, line: got } = prompt()
  for (const read of reads) stdin.write(read)
  expect(await Promise.race([got, sleep(50, '…')])).toBe(line)
  stdin.end()
  await got
})

it('switches bracketed paste on and the mouse off while it waits, and restores the terminal', async () => {
  const { stdin, err, raw, line } = prompt(true)
  expect(err.text).toContain(`${E}[?2004h`)
  expect(err.text).toContain('1006')
  expect(raw).toEqual([true])
  stdin.write('\r')
  expect(await line).toBe('')
  expect(err.text.lastIndexOf(`${E}[?2004l`)).toBeGreaterThan(err.text.lastIndexOf(`${E}[?2004h`))
  expect(raw.at(-1)).toBe(false)
  expect(stdin.listenerCount('data')).toBe(0)
})

it('ends at the end of input', async () => {
  const { stdin, line } = prompt()
  stdin.end()
  expect(await line).toBe('')
})
