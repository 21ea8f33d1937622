/** Flags that every command accepts. */
import type { Argv } from 'yargs'
import { givenFlag, given, givenCount, givenText, type Arguments } from './arguments.ts'
import { chooseCatalog, type CatalogChoice } from '../flags/catalog-choice.ts'
import type { ConfigDefaults } from '../config/config.ts'
import { allStores, noSuchStore, storeOr } from '../config/named-stores.ts'
import { metricsOptions, type MetricsOptions } from '../flags/metrics-options.ts'
import { chooseQueue, knownQueue, type DistributedOptions } from '../flags/queue-choice.ts'
import type { KnownQueue } from '../../app/thread/threaded-queue.ts'
import { givenDuration } from '../flags/duration.ts'
import { catalogInSchema, chooseSchema, type SchemaChoice } from '../flags/schema-choice.ts'
import { yargsOption } from './option-flags.ts'
import { GLOBAL_OPTIONS, needsValue, TASK_LIMITS } from '../../engine/run/operations/global-options.ts'
import { SluiceError } from '../../shared/errors.ts'

export type Globals = {
  readonly ci: boolean
  readonly json: boolean
  readonly tui: boolean
  readonly quiet: boolean
  /** True to run in the background, without the terminal. */
  readonly background: boolean
  /** Queue whose workers execute the run; null: this program executes it. */
  readonly distributed: DistributedOptions | null
  /** The queue whose runs the UI lists; null if none is configured. */
  readonly connect: KnownQueue | null
  /** True to leave the Run screen once its run has ended. */
  readonly quit: boolean
  readonly verbose: boolean
  readonly yes: boolean
  /** False with `--no-input`: never asks. */
  readonly input: boolean
  readonly ascii: boolean
  readonly logFile?: string
  readonly maxRuntimeMs?: number
  /** Address of the metrics server; null: none. */
  readonly metrics: MetricsOptions | null
  /** The catalog; its URL includes the schema. */
  readonly catalog: CatalogChoice | null
  /** Schema for a URL given as an operand. */
  readonly schema: SchemaChoice | null
}

/** Global flags whose value is the next word: needed to find the command before yargs is loaded. */
export const VALUE_FLAGS: ReadonlySet<string> = new Set(
  GLOBAL_OPTIONS.filter(needsValue).map(({ name }) => `--${name}`),
)

/** Flags that may follow any command. */
export const GLOBAL_NAMES: readonly string[] = GLOBAL_OPTIONS.map(({ name }) => name).filter(
  (name) => name !== 'version',
)

/** First word that is neither a flag nor a value of a global flag: the command, or a path. */
export function firstWord(argv: readonly string[]): string | null {
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] ?? ''
    if (word === '--') return argv[index + 1] ?? null
    if (VALUE_FLAGS.has(word) || (word === '--color' && /^(?:always|never|auto)$/.test(argv[index + 1] ?? '')))
      index += 1
    else if (!word.startsWith('-')) return word
  }
  return null
}

/** Splits the words at `--`: the words before it, then `--` with all words after it. */
export function splitAtEnd(argv: readonly string[]): readonly [flags: readonly string[], rest: readonly string[]] {
  const end = argv.indexOf('--')
  return end === -1 ? [argv, []] : [argv.slice(0, end), argv.slice(end)]
}

/** Value of `--config`. Read without yargs, because the file sets the defaults that yargs shows. */
export function configFlag(argv: readonly string[]): string | null {
  for (const [index, word] of argv.entries()) {
    if (word === '--') return null
    if (word.startsWith('--config=')) return word.slice('--config='.length)
    if (word === '--config') return argv[index + 1] ?? null
  }
  return null
}

/**
 * Mode of `--help` or `-h`; null without such a flag. Read without yargs, which takes `--help=VALUE` as `--help` turned
 * off and would run the command.
 * @throws SluiceError BAD_FLAG for a value other than `all`
 */
export function requestedHelp(argv: readonly string[]): 'first' | 'all' | null {
  let asked: 'first' | 'all' | null = null
  for (const word of splitAtEnd(argv)[0]) {
    const [, equals, value] = /^(?:--help|-h)(?:(=)(.*))?$/s.exec(word) ?? [null]
    if (word === '--help' || word === '-h') asked ??= 'first'
    else if (value === 'all') asked = 'all'
    else if (equals !== undefined) {
      throw new SluiceError('BAD_FLAG', `--help takes all, not ${value ?? ''}`, {
        hint: 'use --help=all to see every option of a command',
      })
    }
  }
  return asked
}

/**
 * Declares the flags; hidden, because `sluice --help` lists them once for all commands.
 * @param own names of options of the command, which replace global flags of the same name
 */
export function declareGlobals(yargs: Argv, defaults: ConfigDefaults, own: readonly string[]): void {
  const names = GLOBAL_OPTIONS.map(({ name }) => name)
  for (const option of GLOBAL_OPTIONS) {
    const { name, bare } = option
    const on = /^no-(.+)$/.exec(name)?.[1]
    // yargs provides the help itself, and reads the prefix `no-` as turning an option off.
    if (own.includes(name) || name === 'help' || name === 'version' || names.includes(on ?? '')) continue
    const hidden = { hidden: true, global: true } as const
    if (on !== undefined) yargs.option(on, { ...hidden, type: 'boolean', default: true })
    // environment.ts reads this flag before anything is loaded. Declare it, so that yargs accepts it.
    else if (bare === true) yargs.option(name, { ...hidden, default: true })
    else yargs.option(name, { ...yargsOption(option, defaults), ...hidden })
  }
}

/** Resolves the name of a store to its URL. @throws SluiceError BAD_FLAG if there is no such store */
function namedCatalog(
  choice: CatalogChoice | null,
  defaults: ConfigDefaults,
  env: Readonly<Record<string, string | undefined>>,
): CatalogChoice | null {
  if (choice === null) return choice
  const { url, unset } = resolvedUrl(choice, defaults, env)
  if (unset !== undefined) return { ...choice, url: '', unset }
  // A variable without a URL is reported only if a catalog is needed.
  if (choice.from === 'variable') return { ...choice, url }
  const unknown = noSuchStore(
    url,
    defaults,
    choice.from === 'flag' ? '--database-url' : 'database-url of the config file',
  )
  if (unknown !== null) throw unknown
  return { ...choice, url }
}

/**
 * URL of a catalog, with the name of a store resolved. `unset`: the config file names an unset variable, and only
 * commands that need a catalog must fail.
 */
function resolvedUrl(
  { url, from }: CatalogChoice,
  defaults: ConfigDefaults,
  env: Readonly<Record<string, string | undefined>>,
): { readonly url: string; readonly unset?: SluiceError } {
  try {
    return { url: storeOr(url, defaults, env) }
  } catch (error) {
    if (from !== 'config' || !(error instanceof SluiceError)) throw error
    return { url: '', unset: error }
  }
}

/** @throws SluiceError BAD_FLAG if no queue is named, or a flag of workers is given without --distributed */
function distributedOptions(
  args: Arguments,
  env: Readonly<Record<string, string | undefined>>,
  defaults: ConfigDefaults,
  own: readonly string[],
): DistributedOptions | null {
  // Some commands have their own options of these names.
  const slots = own.includes('tasks') ? undefined : givenCount(args, 'tasks', TASK_LIMITS.least, TASK_LIMITS.most)
  const queue = own.includes('queue') ? undefined : givenText(args, 'queue')
  if (!givenFlag(args, 'distributed')) {
    if (slots === undefined && queue === undefined) return null
    throw new SluiceError('BAD_FLAG', `--${slots === undefined ? 'queue' : 'tasks'} needs --distributed`, {
      hint: 'add --distributed',
    })
  }
  const stores = allStores(defaults, env).filter(({ error }) => error === undefined)
  return {
    connect: chooseQueue(args, defaults, env),
    queue: queue ?? null,
    slots: slots ?? TASK_LIMITS.fallback,
    stores,
  }
}

/**
 * Reads the global flags. @param own names of options of the command, which are not read here @throws SluiceError
 * BAD_FLAG
 */
export function readGlobals(
  args: Arguments,
  env: Readonly<Record<string, string | undefined>>,
  defaults: ConfigDefaults,
  own: readonly string[] = [],
): Globals {
  const color = args['color']
  if (typeof color === 'string' && !['', 'always', 'never', 'auto', 'true', 'false'].includes(color)) {
    throw new SluiceError('BAD_FLAG', `--color takes always, never or auto, not ${color}`)
  }
  const schema = chooseSchema(givenText(args, 'schema'), env)
  return {
    ci: givenFlag(args, 'ci'),
    json: givenFlag(args, 'json'),
    tui: givenFlag(args, 'tui'),
    quit: givenFlag(args, 'quit'),
    background: givenFlag(args, 'background'),
    distributed: distributedOptions(args, env, defaults, own),
    connect: knownQueue(args, defaults, env),
    quiet: givenFlag(args, 'quiet'),
    verbose: givenFlag(args, 'verbose'),
    yes: givenFlag(args, 'yes'),
    input: givenFlag(args, 'input'),
    ascii: givenFlag(args, 'ascii'),
    ...given('logFile', givenText(args, 'log-file') ?? defaults['log-file']),
    ...given('maxRuntimeMs', givenDuration(args, 'max-runtime', defaults['max-runtime']?.toString())),
    metrics: metricsOptions(givenText(args, 'metrics'), defaults.metrics),
    catalog: catalogInSchema(
      namedCatalog(chooseCatalog(givenText(args, 'database-url'), env, defaults['database-url']), defaults, env),
      schema,
    ),
    schema,
  }
}
