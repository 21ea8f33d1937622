/** archive, restore: their flags. */
import type { Argv } from 'yargs'
import { SluiceError } from '../../shared/errors.ts'
import { ARCHIVING_FLAGS, declareArchiving, readArchiving } from '../archive-flags.ts'
import { flag, given, list, optionalText, text } from '../arguments.ts'
import type { Arguments } from '../arguments.ts'
import { closest } from '../closest.ts'
import { chooseEnd } from '../copy-ends.ts'
import { configNames } from '../copy-flags.ts'
import type { ConfigDefaults } from '../config.ts'
import { optionalDuration } from '../duration.ts'
import { declareHours, readHours, type Hours } from '../hours.ts'
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

const repeated = { array: true, string: true, nargs: 1, requiresArg: true, default: [] as string[] } as const

const HELP =
  'plan shows which partitions are due and how their columns are stored. run writes them to Parquet, reads that back whole, compares it with ' +
  'what the database says of its own rows, publishes it as one commit of a Delta table, and takes it out of the table; nothing is dropped ' +
  'before its grace is over, and not without --drop --confirm=TABLE. list shows what the ledger knows, verify reads archives again, sweep ' +
  'removes files that no archive names, hold keeps partitions where they are, and release ends that. adopt compares an archive with this database ' +
  'and takes it over, after a failover, a restore or a move; the database that wrote into it before is refused from then on.\n'

function declareSource(yargs: Argv, table: string, group = 'Options:'): void {
  yargs
    .option('from', {
      group,
      type: 'string',
      requiresArg: true,
      describe: 'URL of the database, such as postgresql://user@host/database; else the config file or $DATABASE_URL',
    })
    .option('table', { ...repeated, group, defaultDescription: 'none', describe: table })
}

function declarePartitions(yargs: Argv, describe: string, group = 'Options:'): void {
  yargs.option('partition', { ...repeated, group, defaultDescription: 'none', describe })
}

const archive: Command = {
  declare: (yargs, defaults) => {
    yargs.positional('action', { type: 'string', describe: ACTIONS.join(', ') })
    declareSource(
      yargs,
      'a table or a pattern; repeatable. list, verify and sweep take all archives without one',
      'all actions:',
    )
    declarePartitions(
      yargs,
      'only this partition, by its label or name, such as Q2-FY21; repeatable',
      'plan, run, verify, hold and release:',
    )
    declareArchiving(yargs, defaults)
    declareHours(yargs, false, 'run:')
    yargs
      .option('dry-run', {
        alias: 'n',
        type: 'boolean',
        group: 'run, sweep and adopt:',
        defaultDescription: 'false',
        describe: 'show what would be done and change nothing',
      })
      .option('deep', {
        type: 'boolean',
        group: 'verify:',
        defaultDescription: 'false',
        describe: 'compare with rows that are still in the database, too',
      })
      .option('count', {
        type: 'boolean',
        group: 'list:',
        defaultDescription: 'false',
        describe: 'count the rows that tables still hold of archived periods, also where that reads a whole table',
      })
      .option('age', {
        type: 'string',
        requiresArg: true,
        group: 'sweep:',
        defaultDescription: '24h',
        describe: 'only files that are older than this',
      })
      .option('reason', {
        type: 'string',
        requiresArg: true,
        group: 'hold:',
        describe: 'why these partitions have to stay; archive list shows it',
      })
      .option('accept-difference', {
        ...repeated,
        group: 'adopt:',
        defaultDescription: 'none',
        describe: 'a partition whose rows in the database may differ from those in the archive; repeatable',
      })
      .epilogue(HELP)
  },
  request: (args, context) => {
    const action = actionOf(text(args, 'action'))
    refuseOthers(action, args)
    return archiveRequest(action, args, context)
  },
}

const restore: Command = {
  declare: (yargs) => {
    declareSource(yargs, 'the table that partitions were taken from')
    declarePartitions(yargs, 'the partition to bring back, by its label or name, such as Q2-FY21; repeatable')
    yargs.option('dry-run', {
      alias: 'n',
      type: 'boolean',
      default: false,
      describe: 'compare, show what would come back, and change nothing',
    })
    yargs.option('as-changed', {
      type: 'boolean',
      default: false,
      describe: 'rows that have changed in the database since they were archived count as they are now',
    })
  },
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
