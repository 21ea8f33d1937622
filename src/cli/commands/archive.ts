/** archive, restore: their flags. */
import { SluiceError } from '../../shared/errors.ts'
import { ARCHIVING_FLAGS, readArchiving } from '../archive-flags.ts'
import { flag, given, list, optionalText, text } from '../arguments.ts'
import type { Arguments } from '../arguments.ts'
import { closest } from '../closest.ts'
import { chooseEnd } from '../copy-ends.ts'
import { configNames } from '../copy-flags.ts'
import type { ConfigDefaults } from '../config.ts'
import { optionalDuration } from '../duration.ts'
import { readHours, type Hours } from '../hours.ts'
import { operate } from './command.ts'
import type { Command, Request, RequestContext } from './command.ts'
import type { Operation } from '../../engine/operations/list.ts'

type Action = 'plan' | 'run' | 'list' | 'verify' | 'sweep' | 'hold' | 'release' | 'adopt'

/** What each action takes beside `--from` and `--table`. */
const TAKES: Readonly<Record<Action, readonly string[]>> = {
  plan: [...ARCHIVING_FLAGS, 'partition', 'dry-run'],
  run: [...ARCHIVING_FLAGS, 'partition', 'dry-run', 'between'],
  list: ['count'],
  verify: ['partition', 'deep'],
  sweep: ['age', 'dry-run'],
  hold: ['partition', 'reason'],
  release: ['partition'],
  adopt: ['accept-difference', 'dry-run'],
}
const ACTIONS = Object.keys(TAKES) as readonly Action[]

const archive: Command = {
  request: (args, context) => {
    const action = actionOf(text(args, 'action'))
    refuseOthers(action, args)
    return archiveRequest(action, args, context)
  },
}

const restore: Command = {
  request: (args, context) =>
    fromDatabase(args, context, (from) => ({
      kind: 'restore',
      from,
      table: oneTable(args, context.defaults),
      partitions: somePartitions(args, 'sluice archive list shows them'),
      ...(flag(args, 'as-changed') ? { asChanged: true } : {}),
      ...given('confirm', optionalText(args, 'confirm')),
      dryRun: flag(args, 'dry-run'),
    })),
}

/** @throws SluiceError BAD_FLAG */
function archiveRequest(action: Action, args: Arguments, context: RequestContext): Request {
  const { defaults } = context
  switch (action) {
    case 'plan':
    case 'run': {
      const operation = {
        kind: 'archive',
        tables: someTables(args, defaults),
        partitions: list(args, 'partition'),
        ...readArchiving(args, context),
        ...given('confirm', optionalText(args, 'confirm')),
        dryRun: action === 'plan' || flag(args, 'dry-run'),
      } as const
      if (operation.drop) refuseManyToDrop(operation.tables)
      const request = fromDatabase(args, context, (from) => ({ ...operation, from }))
      return action === 'run' ? inHours(request, readHours(args, defaults)) : request
    }
    case 'list':
      return fromDatabase(args, context, (from) => ({
        kind: 'archive-list',
        from,
        tables: namedTables(args, defaults),
        count: flag(args, 'count'),
      }))
    case 'verify':
      return fromDatabase(args, context, (from) => ({
        kind: 'archive-verify',
        from,
        tables: namedTables(args, defaults),
        partitions: list(args, 'partition'),
        deep: flag(args, 'deep'),
      }))
    case 'sweep':
      return fromDatabase(args, context, (from) => ({
        kind: 'archive-sweep',
        from,
        tables: namedTables(args, defaults),
        olderThanMs: optionalDuration(args, 'age', '24h') ?? 0,
        dryRun: flag(args, 'dry-run'),
      }))
    case 'hold':
    case 'release':
      return fromDatabase(args, context, (from) => ({
        kind: 'archive-hold',
        from,
        table: oneTable(args, defaults),
        partitions: somePartitions(args, 'sluice archive plan shows them'),
        reason: action === 'release' ? null : reasonOf(args),
      }))
    case 'adopt':
      return fromDatabase(args, context, (from) => ({
        kind: 'archive-adopt',
        from,
        table: oneTable(args, defaults),
        ...given('confirm', optionalText(args, 'confirm')),
        accept: list(args, 'accept-difference'),
        dryRun: flag(args, 'dry-run'),
      }))
  }
}

function inHours(request: Request, hours: Hours | undefined): Request {
  if (request.kind !== 'operation' || request.told === undefined || hours === undefined) return request
  return { ...request, told: { ...request.told, hours } }
}

function actionOf(word: string): Action {
  const action = ACTIONS.find((known) => known === word)
  if (action !== undefined) return action
  const meant = closest(word, ACTIONS)
  throw new SluiceError('BAD_FLAG', `archive has no action ${word}${meant === null ? '' : ` (${meant}?)`}`, {
    hint: `it takes ${ACTIONS.join(', ')}`,
  })
}

/** A flag that does nothing where it is given is a misunderstanding. */
function refuseOthers(action: Action, args: Arguments): void {
  const known = new Set(Object.values(TAKES).flat())
  for (const name of known) {
    const value = args[name]
    if (value === undefined || (Array.isArray(value) && value.length === 0) || TAKES[action].includes(name)) continue
    const takers = ACTIONS.filter((other) => TAKES[other].includes(name))
    throw new SluiceError('BAD_FLAG', `archive ${action} takes no --${name}`, {
      hint: `it goes with archive ${takers.join(', ')}`,
    })
  }
}

function fromDatabase(
  args: Arguments,
  { env, defaults }: RequestContext,
  operation: (from: string) => Operation,
): Request {
  const from = chooseEnd('from', args, defaults, env)
  const add = from.origin === 'script' ? [from.printed] : []
  return operate(operation(from.url), { printed: { add } })
}

/** A name behind a flag is taken as it is, commas and all. */
function namedTables(args: Arguments, { table = [], tables }: ConfigDefaults): readonly string[] {
  const flags = list(args, 'table')
  if (flags.length > 0) return flags
  return [...(typeof table === 'string' ? [table] : table), ...configNames('tables', tables)]
}

function someTables(args: Arguments, defaults: ConfigDefaults): readonly string[] {
  const tables = namedTables(args, defaults)
  if (tables.length > 0) return tables
  throw new SluiceError('BAD_FLAG', 'no table is named', {
    hint: "add --table NAME, or --table 'public.*' for all that fit; sluice discover URL lists them",
  })
}

function oneTable(args: Arguments, defaults: ConfigDefaults): string {
  const [table, ...more] = someTables(args, defaults)
  if (table !== undefined && more.length === 0) return table
  throw new SluiceError('BAD_FLAG', `one table at a time, and not ${more.length + 1}`, { hint: 'give --table once' })
}

function somePartitions(args: Arguments, hint: string): readonly string[] {
  const partitions = list(args, 'partition')
  if (partitions.length > 0) return partitions
  throw new SluiceError('BAD_FLAG', 'no partition is named', { hint: `add --partition LABEL; ${hint}` })
}

function reasonOf(args: Arguments): string {
  const reason = optionalText(args, 'reason')
  if (reason !== undefined) return reason
  throw new SluiceError('BAD_FLAG', '--reason is missing', { hint: 'say why, for those who wonder in some years' })
}

/** Whoever drops says the name of the table twice, and so there is one. */
function refuseManyToDrop(tables: readonly string[]): void {
  const [table = ''] = tables
  if (tables.length === 1 && !/[*?]/.test(table)) return
  throw new SluiceError('BAD_FLAG', '--drop goes with one table, by its name', {
    hint: 'archive the tables together, and drop one after the other',
  })
}

export const commands = { archive, restore }
