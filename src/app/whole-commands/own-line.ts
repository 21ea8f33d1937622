/** Parses the printed command line of a run: all words of the line belong to the command, in any order. */
import { actionsOf } from '../operations/facts.ts'
import { flagValue, type WrittenCall, type CommandWord } from './call.ts'
import { GLOBAL_OPTIONS, needsValue } from '../../engine/run/operations/global-options.ts'
import { callable, hasValue, narrowed, type Callable } from './options.ts'

const WORD = /(?:'[^']*'|"(?:\\.|[^"\\])*"|\\[^]|[^\s'"\\])+/g
const COLORS = /^(?:always|never|auto)$/
const YES_OR_NO = /^(?:true|false)$/

/**
 * @param line begins with `sluice`, as printed by `commandLine` of the command line
 * @returns null if the command starts no operation
 */
export function ownCall(line: string): WrittenCall | null {
  const [program, ...all] = [...line.matchAll(WORD)].map(([raw], at, found): CommandWord => ({
    raw,
    start: found[at]?.index ?? 0,
    end: (found[at]?.index ?? 0) + raw.length,
  }))
  const name = all.find((_, at) => isFirst(all, at))
  if (program?.raw !== 'sluice' || name === undefined) return null
  const rest = all.filter((word) => word !== name)
  const known = callable(name.raw, undefined)
  if (known === null) return null
  const alone = split(rest, known)
  const [action] = alone.operands
  const isAction = actionsOf(name.raw).some((one) => one.name === action?.raw)
  const called = (isAction ? callable(name.raw, action?.raw) : null) ?? known
  // The action supports these options: a run with other options is refused before it begins.
  const { flags, operands } = alone
  return {
    callable: narrowed(called, flags),
    words: all,
    operands: isAction ? operands.slice(1) : operands,
    flags,
    end: line.length,
  }
}

/** True for the command: the first word that is neither a flag nor the value of a global option. */
function isFirst(words: readonly CommandWord[], at: number): boolean {
  const before = words[at - 1]?.raw ?? ''
  const isValue =
    GLOBAL_OPTIONS.some((option) => needsValue(option) && before === `--${option.name}`) ||
    (before === '--color' && COLORS.test(words[at]?.raw ?? ''))
  return !isValue && words[at]?.raw.startsWith('-') === false
}

/** Separates flags with values from operands. */
function split(words: readonly CommandWord[], { takes }: Callable): Pick<WrittenCall, 'flags' | 'operands'> {
  const flags = new Map<string, (CommandWord | null)[]>()
  const operands: CommandWord[] = []
  const left = [...words]
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    if (word.raw === '--') return { flags, operands: [...operands, ...left] }
    const [, dashes, name = '', equals] = /^(--?)([A-Za-z][\w-]*)(=?)/.exec(word.raw) ?? []
    if (dashes === undefined) {
      operands.push(word)
      continue
    }
    const option = takes.get(name) ?? takes.get(name.replace(/^no-/, ''))
    const next = left[0]?.raw ?? ''
    const isNext =
      option !== undefined && hasValue(option)
        ? equals === ''
        : YES_OR_NO.test(next) || (name === 'color' && COLORS.test(next))
    const value = equals === '=' ? flagValue(word) : isNext ? (left.shift() ?? null) : null
    const known = option?.name ?? name
    flags.set(known, [...(flags.get(known) ?? []), option !== undefined && !hasValue(option) ? null : value])
  }
  return { flags, operands }
}
