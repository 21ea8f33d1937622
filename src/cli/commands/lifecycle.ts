/** lifecycle init, lifecycle status: tables of the config file, each with its own databases. */
import { secretsOfUrl } from '../../shared/redact.ts'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import type { LifecycleEntry } from '../../partition/lifecycle/entry.ts'
import type { LifecycleStatusOperation } from '../../partition/operations/lifecycle-status/declaration.ts'
import { LIFECYCLE_CAUSES } from '../../partition/operations/lifecycle-status/options.ts'
import { defaultNumber, defaultText } from '../../app/operations/facts.ts'
import { readAlert } from '../flags/alert-flags.ts'
import { givenFlag, given, givenList, givenText, requiredText, type Arguments } from '../parse/arguments.ts'
import { ageIn, calendarOptions, epochIn } from '../flags/calendar-flags.ts'
import { closest } from '../../shared/closest.ts'
import type { ConfigDefaults } from '../config/config.ts'
import { requiredStore, storeWord, givenStoreUrl, shownUrl } from '../flags/copy-stores.ts'
import { parseDuration } from '../flags/duration.ts'
import type { LifecycleConfig } from '../config/lifecycle-config.ts'
import { DEFAULT_CONFIG, DEFAULT_SCHEMA } from '../config/lifecycle-defaults.ts'
import { storeOr } from '../config/named-stores.ts'
import { oneTableOf } from '../parse/table-words.ts'
import { operate, type Command, type Request, type RequestContext } from './command.ts'

type Words = Pick<RequestContext, 'defaults' | 'env'>

const lifecycle: Command = {
  request: (args, context) =>
    requiredText(args, 'action') === 'init' ? init(args, context) : operate(watchedStatus(args, context)),
}

/**
 * Tables of the config file with their databases; with `--table`, only those. @throws SluiceError BAD_FLAG, BAD_CONFIG
 */
export function lifecycleStatusRequest(args: Arguments, context: Words): LifecycleStatusOperation {
  const { lifecycle: all = {} } = context.defaults
  const file = configOf(args)
  if (Object.keys(all).length === 0) {
    throw new SluiceError('BAD_FLAG', `the config file has no table under lifecycle`, {
      where: file,
      hint: 'sluice lifecycle init --table NAME --by COLUMN writes one',
    })
  }
  const named = givenList(args, 'table')
  const tables = named.length === 0 ? Object.keys(all) : named
  const databases: string[] = []
  const place = (url: string): number => {
    if (!databases.includes(url)) databases.push(url)
    return databases.indexOf(url)
  }
  const entries = tables.map((table) => {
    const name = keyOf(table, Object.keys(all))
    const entry = name === null ? undefined : all[name]
    if (name === null || entry === undefined) throw noEntry(table, Object.keys(all), file)
    return entryOf(name, entry, { args, context, place, file })
  })
  return { kind: 'lifecycle-status', tables, entries, databases }
}

/** Name of the matching entry; the schema may be missing in option or file. Null if none or several match. */
function keyOf(table: string, known: readonly string[]): string | null {
  if (known.includes(table)) return table
  const same = known.filter((one) => one.endsWith(`.${table}`) || `${DEFAULT_SCHEMA}.${one}` === table)
  return same.length === 1 ? (same[0] ?? null) : null
}

/** The operation, with alerts from the command line only: alerts of an entry belong to commands on its table. */
function watchedStatus(args: Arguments, context: Words): LifecycleStatusOperation {
  const alert = readAlert(args, { command: 'lifecycle status', causes: LIFECYCLE_CAUSES })
  return { ...lifecycleStatusRequest(args, context), ...given('alert', alert) }
}

function entryOf(
  table: string,
  entry: LifecycleConfig,
  { args, context, place, file }: { args: Arguments; context: Words; place: (url: string) => number; file: string },
): LifecycleEntry {
  const { env } = context
  const config = { config: givenText(args, 'config') }
  const defaults: ConfigDefaults = { ...context.defaults, ...given('from', entry.from), to: entry.to }
  const from = requiredStore('from', config, defaults, env)
  // If the entry has no `to`, the partitioned table is in the database of the old table, even if the file has `to` for
  // copies.
  const to = entry.to === undefined ? null : givenStoreUrl('to', config, defaults, env)
  const fromWord = storeWord(from.origin === 'script' ? '$DATABASE_URL' : defaults.from, from.url, context)
  const toWord = to === null ? fromWord : storeWord(entry.to, to.url, context)
  const archive = entry.archive ?? undefined
  return {
    table,
    from: place(from.url),
    ...(to === null || to.url === from.url ? {} : { to: place(to.url) }),
    ...given('by', entry.by),
    ...given('epoch', entry.epoch),
    calendar: calendarOptions(argumentsOf(entry), context.defaults),
    ahead: entry.ahead ?? defaultNumber('partition-ensure', 'ahead'),
    oldTableGraceMs: parseDuration('--grace', defaultText('partition-decommission', 'grace')),
    ...given('olderThan', ageIn(argumentsOf(entry), 'older-than', context.defaults)),
    ...given('archive', archive === undefined ? undefined : storeOr(archive, context.defaults, env)),
    words: {
      back: `--config ${shellQuote(file)} --from ${toWord} --to ${fromWord}`,
      table: `--config ${shellQuote(file)}`,
      into: `--config ${shellQuote(file)} --to ${toWord}`,
      moved: `--config ${shellQuote(file)} --from ${toWord}`,
      stream: `--config ${shellQuote(file)} --from ${fromWord} --to ${toWord}`,
    },
  }
}

/** Entry settings in the form of yargs values. */
function argumentsOf(entry: LifecycleConfig): Arguments {
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined))
}

function init(args: Arguments, context: Words): Request {
  const { defaults, env } = context
  const from = requiredStore('from', args, defaults, env)
  const write = givenText(args, 'write') ?? configOf(args)
  const archive = givenText(args, 'archive')
  const isSame = write === configOf(args)
  const { text: fromText, warning } = fromWritten(args, from, isSame, context)
  return operate(
    {
      kind: 'lifecycle-init',
      from: from.url,
      table: oneTableOf(args, defaults),
      ...given('by', givenText(args, 'by') ?? defaults.by),
      ...given('epoch', epochIn(args)),
      calendar: calendarOptions(args, defaults),
      ...given('archive', archive),
      ...given('olderThan', ageIn(args, 'older-than', defaults)),
      ...given('fromText', fromText),
      write: write === '-' ? null : write,
      replace: givenFlag(args, 'replace'),
    },
    {
      printed: { add: from.origin === 'script' ? [from.printed] : [] },
      ...(warning === undefined ? {} : { warnings: [warning] }),
      ...(write === '-'
        ? {}
        : {
            next: ({ status: ended }) =>
              ended === 'ok' ? `sluice lifecycle status --config ${shellQuote(write)}` : undefined,
          }),
    },
  )
}

/** @property text value of `from`; absent if the written file already sets `from` for all tables */
function fromWritten(
  args: Arguments,
  { url, origin }: ReturnType<typeof requiredStore>,
  isSame: boolean,
  { defaults, env }: Words,
): { readonly text?: string; readonly warning?: string } {
  const typed = givenText(args, 'from')
  if (isSame && origin === 'config') return {}
  if (isSame && typed !== undefined && Object.hasOwn(defaults.stores ?? {}, typed)) return { text: typed }
  if (secretsOfUrl(url).length === 0) return { text: url }
  const shown = /^"(\$\w+)"$/.exec(shownUrl(url, env))?.[1]
  if (shown !== undefined) return { text: shown }
  return {
    text: '$DATABASE_URL',
    warning: 'the URL has a password, so the file names $DATABASE_URL in its place: set that variable to the URL',
  }
}

function configOf(args: Arguments): string {
  return givenText(args, 'config') ?? DEFAULT_CONFIG
}

function noEntry(table: string, known: readonly string[], file: string): SluiceError {
  const meant = closest(table, known) ?? known.find((one) => one.endsWith(`.${table}`)) ?? null
  return new SluiceError(
    'BAD_FLAG',
    `the lifecycle section of the config file has no table ${table}${meant === null ? '' : ` (did you mean ${meant}?)`}`,
    {
      where: file,
      hint: `name one of ${known.join(', ')}`,
    },
  )
}

export const commands = { lifecycle }
