/** Options of commands, used to find calls in a text and the stores that they need. */
import { actionsOf, commandsOfOperations, declarationOf, optionNamesOf } from '../operations/facts.ts'
import { OPERATIONS, type OperationKind } from '../operations/list.ts'
import { GLOBAL_OPTIONS, needsValue } from '../../engine/run/operations/global-options.ts'
import type { Option } from '../../engine/run/operations/option.ts'
import { CALENDAR_FLAGS } from '../../engine/run/operations/words.ts'

export type Callable = {
  readonly name: string
  /** Command and action, such as `archive list`; null if the command has no actions, or none is named. */
  readonly action: string | null
  /** Operands after the action, in order. */
  readonly operands: readonly { readonly name: string; readonly required: boolean; readonly many: boolean }[]
  readonly takes: ReadonlyMap<string, Option>
}

/** Options of every command. An option whose value may be left out is read as a flag. */
const GLOBALS: readonly Option[] = GLOBAL_OPTIONS.map((option) => ({
  ...option,
  type: needsValue(option) ? 'text' : 'flag',
}))

/** Command that steers a run, but is not an operation: only the queue of a shared run is appended to it. */
export const STEERING = 'ctl'
const OF_STEERING: readonly string[] = ['connect', 'config', 'no-config', 'distributed']

const known = new Map<string, Callable | null>()

/**
 * @param next the word after the name: an action, or anything else
 * @returns null if the command starts no operation
 */
export function callable(name: string, next: string | undefined): Callable | null {
  return remembered(name, actionsOf(name).find((one) => one.name === next)?.name ?? null, null)
}

/** Selects the operation of an action with a flag: `partition decommission --database`. */
export function narrowed(called: Callable, flags: ReadonlyMap<string, unknown>): Callable {
  const { name, action } = called
  const reported = actionsOf(name).find((one) => one.name === action && one.flag !== null && flags.has(one.flag))
  return (reported === undefined ? null : remembered(name, action, reported.flag)) ?? called
}

function remembered(name: string, action: string | null, flag: string | null): Callable | null {
  const key = `${name} ${action ?? ''} ${flag ?? ''}`
  const before = known.get(key)
  if (before !== undefined) return before
  const made = read(name, action, flag)
  known.set(key, made)
  return made
}

/** True if the option has a value, in contrast to a flag. */
export function hasValue({ type }: Option): boolean {
  return type !== 'flag'
}

/** Options for tables and periods. */
const TABLE = ['table', 'tables', 'by', 'epoch', ...CALENDAR_FLAGS] as const

/** True for options that select tables, or how they are copied; false for a number, such as the number of workers. */
export function isSelection(name: string, { takes }: Callable): boolean {
  const option = takes.get(name)
  if (option === undefined) return false
  const copied = takes.get('to-schema')?.group
  return (
    TABLE.some((one) => one === name) || (copied !== undefined && option.group === copied && option.type !== 'number')
  )
}

function read(name: string, action: string | null, flag: string | null): Callable | null {
  if (name === STEERING) {
    const takes = GLOBALS.filter((option) => OF_STEERING.includes(option.name))
    return { name, action, operands: [], takes: new Map(takes.map((option) => [option.name, option])) }
  }
  const command = commandsOfOperations().find((one) => one.name === name)
  if (command === undefined) return null
  const spoken = actionsOf(name).filter((one) => one.name === action && (flag === null || one.flag === flag))
  const own = spoken.length === 0 ? null : new Set(spoken.flatMap((one) => [...optionNamesOf(one)]))
  const takes = command.takes.filter((option) => own === null || option.operand === true || own.has(option.name))
  const catalog = kindsOf(name).some((kind) => declarationOf(kind).stores.some(({ family }) => family === 'catalog'))
  const globals = GLOBALS.filter(({ name: global }) => catalog || !['database-url', 'schema'].includes(global))
  const operands = [...command.operands.matchAll(/([<[])([\w-]+)(\.\.)?[>\]]/g)].map(
    ([, open, operand = '', many]) => ({
      name: operand,
      required: open === '<',
      many: many !== undefined,
    }),
  )
  return {
    name,
    action,
    operands: action === null ? operands : operands.slice(1),
    takes: new Map([...globals, ...takes].flatMap((option) => namesFor(option).map((one) => [one, option]))),
  }
}

function namesFor({ name, alias }: Option): readonly string[] {
  return alias === undefined ? [name] : [name, alias]
}

function kindsOf(name: string): readonly OperationKind[] {
  return (Object.keys(OPERATIONS) as OperationKind[]).filter((kind) => {
    const { command } = declarationOf(kind)
    return (typeof command === 'string' ? command : command.name) === name
  })
}
