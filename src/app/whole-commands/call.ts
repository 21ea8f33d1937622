/** Finds commands in a text: `sluice quarantine retry 12 --to "$TARGET" brings them`. */
import { callable, hasValue, narrowed, STEERING, type Callable } from './options.ts'

export type CommandWord = {
  /** The word as shell text. */
  readonly raw: string
  readonly start: number
  readonly end: number
}

export type WrittenCall = {
  readonly callable: Callable
  /** Name, action, operands and flags, without the program name. */
  readonly words: readonly CommandWord[]
  readonly operands: readonly CommandWord[]
  /** Flags by name, without dashes; null for a flag without a value. */
  readonly flags: ReadonlyMap<string, readonly (CommandWord | null)[]>
  /** Index after the call. */
  readonly end: number
}

const NAMED = /(?<![\w/.-])sluice ([a-z][a-z-]*)(?![\w-])/g
/** A shared run and its steering request: `ctl RUN rate 50000 --distributed`. A run of this machine needs no store. */
const STEERED = /(?: [^\s;:,()`]+){1,4}?(?= --distributed(?![\w-]))/y
const WORD = / ((?:'[^']*'|"[^"]*"|\\.|[^\s'"`;,()]|,(?=[^\s]))+)/y

/** Every call of an engine command, in text order. Prose after a call is not included. */
export function callsIn(text: string): readonly WrittenCall[] {
  return [...text.matchAll(NAMED)].flatMap((found) => {
    const call = callAt(text, found.index + 'sluice '.length, found[1] ?? '')
    return call === null ? [] : [call]
  })
}

function callAt(text: string, start: number, name: string): WrittenCall | null {
  let at = start + name.length
  const next = (): CommandWord | null => {
    const word = wordAt(text, at)
    if (word !== null) at = word.end
    return word
  }
  const called = callable(name, wordAt(text, at)?.raw)
  if (called === null) return null
  const words: CommandWord[] = [{ raw: name, start, end: at }]
  if (name === STEERING) {
    const steered = steeredAt(text, at)
    words.push(...steered)
    at = steered.at(-1)?.end ?? at
    if (steered.length === 0) return null
  }
  if (called.action !== null) words.push(...withoutNull(next()))
  const operands: CommandWord[] = []
  const flags = new Map<string, (CommandWord | null)[]>()
  const left = [...called.operands]
  for (;;) {
    // A full stop or a colon after a word ends the call.
    const last = words.at(-1)
    if (last !== undefined && /[.:]/.test(text[last.end] ?? '')) break
    const before = at
    const word = next()
    if (word === null) break
    const flag = /^--(?:no-)?([a-z][a-z-]*)(=?)/.exec(word.raw)
    const option = flag === null ? undefined : (called.takes.get(word.raw.slice(2)) ?? called.takes.get(flag[1] ?? ''))
    if (option !== undefined && option.operand !== true) {
      const value = flag?.[2] === '=' ? flagValue(word) : hasValue(option) ? next() : null
      words.push(word, ...(flag?.[2] === '=' ? [] : withoutNull(value)))
      flags.set(option.name, [...(flags.get(option.name) ?? []), value])
      continue
    }
    const [operand] = left
    const isOne = !word.raw.startsWith('-') && operand !== undefined
    // Required operands always match; otherwise a lower-case word belongs to the sentence.
    if (!isOne || !(operand.required || /[^a-z-]/.test(word.raw))) {
      at = before
      break
    }
    words.push(word)
    operands.push(word)
    left.shift()
    if (operand.many) left.unshift({ ...operand, required: false })
  }
  return { callable: narrowed(called, flags), words, operands, flags, end: words.at(-1)?.end ?? at }
}

function wordAt(text: string, at: number): CommandWord | null {
  WORD.lastIndex = at
  const found = WORD.exec(text)
  if (found === null) return null
  const whole = found[1] ?? ''
  const raw = whole.replace(/[.:]+$/, '')
  // A word of dots only is kept: `.` is a folder.
  const kept = raw === '' ? whole : raw
  return { raw: kept, start: at + 1, end: at + 1 + kept.length }
}

/** Operands of `ctl` for a shared run; empty for a run of this machine. */
function steeredAt(text: string, start: number): readonly CommandWord[] {
  STEERED.lastIndex = start
  const all = STEERED.exec(text)?.[0] ?? ''
  return [...all.matchAll(/[^ ]+/g)].map(({ 0: raw, index }) => ({
    raw,
    start: start + index,
    end: start + index + raw.length,
  }))
}

/** The value of `--flag=VALUE`. */
export function flagValue({ raw, start, end }: CommandWord): CommandWord {
  const equals = raw.indexOf('=') + 1
  return { raw: raw.slice(equals), start: start + equals, end }
}

function withoutNull(word: CommandWord | null): readonly CommandWord[] {
  return word === null ? [] : [word]
}
