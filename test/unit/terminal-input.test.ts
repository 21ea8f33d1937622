/** When incomplete input is given up, and what several keys in one read mean. */
import { PassThrough } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { fieldText, withoutControls } from '../../src/shared/terminal/field-text.ts'
import { oneRead } from '../../src/shared/terminal/one-read.ts'
import { ENTER_INPUT, TerminalInput } from '../../src/shared/terminal/terminal-input.ts'

const E = '\u001b'
let stdin: PassThrough
let input: TerminalInput
let heard: string[] = []
let isInField = false

beforeEach(() => {
  heard = []
  isInField = false
  stdin = new PassThrough()
  input = new TerminalInput(stdin, (read) => {
    const { inputs, note } = oneRead(read, isInField)
    for (const one of inputs) heard.push(one.kind === 'press' ? one.press.name : `text ${JSON.stringify(one.text)}`)
    if (note !== null) heard.push(`(${note.split(/[:,]/)[0]})`)
  })
  input.open()
})
afterEach(() => input.close())

const PASTE = '(the paste is ignored)'
const SEVERAL = '(several keys at once are ignored)'
const LEFT_OUT = '(enter)'

/** Results without and with a text field. */
const READS: readonly (readonly [read: string, outside: readonly string[], inside: readonly string[]])[] = [
  ['j', ['j'], ['j']],
  ['é', ['é'], ['é']],
  ['👩‍👩‍👧', ['👩‍👩‍👧'], ['👩‍👩‍👧']],
  ['\r', ['enter'], ['enter']],
  ['\u0003\u0003', ['ctrl-c', 'ctrl-c'], ['ctrl-c', 'ctrl-c']],
  [E + E, ['esc'], ['esc']],
  ['jjj', ['j', 'j', 'j'], ['text "jjj"']],
  [`kk]${E}[A\t`, ['k', 'k', ']', 'up', 'tab'], ['text "kk]"', 'up', String.raw`text "\t"`]],
  ['in', [SEVERAL], ['text "in"']],
  ['j\r', [SEVERAL], [String.raw`text "j\r"`]],
  ['\r\r', [SEVERAL], [String.raw`text "\r\r"`]],
  ['xx', [SEVERAL], ['text "xx"']],
  ['<<<<<<<', [SEVERAL], ['text "<<<<<<<"']],
  ['q\u0003', [SEVERAL], [String.raw`text "q\u0003"`]],
  [`ab${E}[Dc\u007f`, [SEVERAL], ['text "ab"', 'left', 'text "c"', 'backspace']],
  [`a${E}[13u`, [SEVERAL], ['text "a"', LEFT_OUT]],
  [`${E}[B\r`, [SEVERAL], ['down', String.raw`text "\r"`]],
  [`abc${E}q`, [SEVERAL], ['text "abc"', LEFT_OUT]],
  [`${E}q`, ['(alt-q does nothing here)'], ['(alt-q does nothing here)']],
  [`${E}\r`, ['(alt-enter does nothing here)'], ['(alt-enter does nothing here)']],
  [`${E}[<35;10;6M`, [], []],
  [`${E}[<35;10;6M${E}[6;10R`, [], []],
  [`${E}[<35;10;6Mq`, [SEVERAL], ['text "q"']],
  [`${E}[<35;10;6M${E}[A`, ['up'], ['up']],
  [`${E}[12xq`, [SEVERAL], ['text "q"']],
  [`${E}[200~drop;\r${E}[201~`, [PASTE], [String.raw`text "drop;\r"`]],
  [`${E}[200~a${E}[201~\r`, [PASTE], ['text "a"', String.raw`text "\r"`]],
]

it.each(READS)('%j', async (read, outside, inside) => {
  stdin.write(read)
  await sleep(0)
  if (heard.length === 0 && outside.length > 0) await sleep(120)
  expect(heard).toEqual(outside)
  heard = []
  isInField = true
  stdin.write(read)
  await sleep(0)
  if (heard.length === 0 && inside.length > 0) await sleep(120)
  expect(heard).toEqual(inside)
})

it('an escape is a key after 50 ms, and starts a sequence if bytes follow at once', async () => {
  const began = performance.now()
  stdin.write(E)
  while (heard.length === 0) await sleep(5)
  expect(performance.now() - began).toBeGreaterThan(45)
  stdin.write(E)
  stdin.write('[')
  stdin.write('A')
  stdin.write(`${E}O`)
  await sleep(100)
  stdin.write('B')
  expect(heard).toEqual(['esc', 'up', 'down'])
})

it('an escape after an unbracketed paste belongs to the paste', async () => {
  stdin.write(`some text${E}`)
  stdin.write(`more${E}`)
  await sleep(150)
  expect(heard).toEqual([SEVERAL, SEVERAL, SEVERAL])
})

it('the rest of a large read is not taken for keys', async () => {
  stdin.write('q'.repeat(4095))
  stdin.write('x')
  await sleep(150)
  stdin.write('x')
  expect(heard).toEqual([SEVERAL, SEVERAL, 'x'])
})

it('an endless sequence ends after a timeout, also while keys are typed', async () => {
  stdin.write(`${E}]52;c;`)
  await sleep(650)
  stdin.write('j')
  expect(heard).toEqual(['j'])
  stdin.write(`${E}P`)
  const began = performance.now()
  while (heard.length < 2 && performance.now() - began < 4000) {
    await sleep(100)
    stdin.write('k')
  }
  expect(performance.now() - began).toBeLessThan(3000)
  expect(heard).toEqual(['j', 'k'])
})

it('a paste without an end is accepted after a timeout', async () => {
  isInField = true
  stdin.write(`${E}[200~drop table a;\r`)
  await sleep(500)
  stdin.write('x\r')
  expect(heard).toEqual([])
  await sleep(1200)
  expect(heard).toEqual([String.raw`text "drop table a;\rx\r"`])
  stdin.write('y')
  expect(heard).toHaveLength(2)
  expect(heard[1]).toBe('y')
})

it('input begun before another program had the terminal is dropped', () => {
  stdin.write(`${E}[200~abc`)
  input.forget()
  stdin.write('j')
  expect(heard).toEqual(['j'])
})

it('mouse and focus reports are switched off', () => {
  for (const mode of [1000, 1002, 1003, 1004, 1005, 1006, 1015, 1016])
    expect(ENTER_INPUT).toMatch(new RegExp(`\\[\\?(?:\\d+;)*${mode}(?:;\\d+)*l`))
})

it('pasted text becomes one line with visible control characters', () => {
  expect(fieldText('a\tb\r\nc\n\u001b[2Jd\u0003\u009b\u2028e')).toBe(String.raw`a bc\x1b[2Jd\x03\x9be`)
  expect(withoutControls('a\tb\r\nc\u0003👩‍👩‍👧')).toBe('a\tb\r\nc\\x03👩‍👩‍👧')
})
