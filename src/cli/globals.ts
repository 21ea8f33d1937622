/** Flags that every command takes. */
import type { Argv } from 'yargs'
import { flag, given, optionalCount, optionalText } from './arguments.ts'
import type { Arguments } from './arguments.ts'
import { chooseCatalog } from './catalog-choice.ts'
import type { CatalogChoice } from './catalog-choice.ts'
import type { ConfigDefaults } from './config.ts'
import { allStores, noSuchStore, storeOr } from './named-stores.ts'
import { metricsWish, type MetricsWish } from './metrics-wish.ts'
import { chooseQueue, knownQueue, type DistributedWish } from './queue-choice.ts'
import type { KnownQueue } from '../app/thread/threaded-queue.ts'
import { optionalDuration } from './duration.ts'
import { catalogInSchema, chooseSchema, type SchemaChoice } from './schema-choice.ts'
import { SluiceError } from '../shared/errors.ts'

export type Globals = {
  readonly ci: boolean
  readonly json: boolean
  readonly tui: boolean
  readonly quiet: boolean
  /** Runs in the background, without the terminal. */
  readonly background: boolean
  /** Leaves the run to workers of this queue; null: it runs here. */
  readonly distributed: DistributedWish | null
  /** The queue whose runs the UI lists; null if none is configured. */
  readonly connect: KnownQueue | null
  /** Leaves the Run screen once its run has ended. */
  readonly quit: boolean
  readonly verbose: boolean
  readonly yes: boolean
  /** False with `--no-input`: never asks. */
  readonly input: boolean
  readonly ascii: boolean
  readonly logFile?: string
  readonly maxRuntimeMs?: number
  /** Address of the metrics server; null: none. */
  readonly metrics: MetricsWish | null
  /** Includes the schema in its URL. */
  readonly catalog: CatalogChoice | null
  /** Schema for a URL given as an operand. */
  readonly schema: SchemaChoice | null
}

/** Global flags with a value in the next word; needed to find the command before yargs is loaded. */
export const VALUE_FLAGS: ReadonlySet<string> = new Set([
  '--database-url',
  '--schema',
  '--config',
  '--log-file',
  '--max-runtime',
  '--confirm',
  '--connect',
  '--queue',
  '--slots',
  '--metrics',
])

export const GLOBAL_NAMES: readonly string[] =
  'database-url schema config no-config ci json tui quit background distributed connect queue slots quiet verbose yes confirm no-input color no-color ascii log-file max-runtime metrics help'.split(
    ' ',
  )

/** Default number of workers that share a run. */
const SLOTS = 4
const MOST_SLOTS = 1000

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
 * Declares the global flags. They are hidden, because `sluice --help` lists them once for all commands.
 * @param own options of the command; they replace global flags of the same name
 */
export function declareGlobals(yargs: Argv, defaults: ConfigDefaults, own: readonly string[]): void {
  const hidden = { hidden: true, global: true } as const
  const onOff = { ...hidden, type: 'boolean', default: false } as const
  const valued = { ...hidden, type: 'string', requiresArg: true } as const
  yargs
    .option('ci', onOff)
    .option('json', onOff)
    .option('tui', onOff)
    .option('quit', onOff)
    .option('background', onOff)
    .option('quiet', { ...onOff, alias: 'q' })
    .option('verbose', { ...onOff, alias: 'v', default: defaults.verbose ?? false })
    .option('yes', { ...onOff, alias: 'y' })
    .option('ascii', { ...onOff, default: defaults.ascii ?? false })
    .option('input', { ...onOff, default: true })
    // environment.ts has already read it; declared so that yargs accepts it.
    .option('color', { ...hidden, default: true })
    .option('confirm', valued)
    .option('config', valued)
    .option('database-url', valued)
    .option('schema', valued)
    .option('log-file', valued)
    .option('max-runtime', valued)
    .option('metrics', valued)
  if (!own.includes('connect')) yargs.option('connect', valued)
  if (!own.includes('queue')) yargs.option('queue', valued)
  if (!own.includes('slots')) yargs.option('slots', { ...hidden, type: 'number', requiresArg: true })
  if (!own.includes('distributed')) yargs.option('distributed', onOff)
}

/** Resolves the name of a store to its URL. @throws SluiceError BAD_FLAG if there is no such store */
function namedCatalog(
  choice: CatalogChoice | null,
  defaults: ConfigDefaults,
  env: Readonly<Record<string, string | undefined>>,
): CatalogChoice | null {
  if (choice === null) return choice
  const { url, unset } = behind(choice, defaults, env)
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

/** If the config file names an unset variable, only commands that need a catalog fail. */
function behind(
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
function distributedWish(
  args: Arguments,
  env: Readonly<Record<string, string | undefined>>,
  defaults: ConfigDefaults,
  own: readonly string[],
): DistributedWish | null {
  // Some commands have their own options of these names.
  const slots = own.includes('slots') ? undefined : optionalCount(args, 'slots', 1, MOST_SLOTS)
  const queue = own.includes('queue') ? undefined : optionalText(args, 'queue')
  if (!flag(args, 'distributed')) {
    if (slots === undefined && queue === undefined) return null
    throw new SluiceError('BAD_FLAG', `--${slots === undefined ? 'queue' : 'slots'} needs --distributed`)
  }
  const stores = allStores(defaults, env).filter(({ error }) => error === undefined)
  return { connect: chooseQueue(args, defaults, env), queue: queue ?? null, slots: slots ?? SLOTS, stores }
}

/** Reads the global flags. @param own options of the command, not read here @throws SluiceError BAD_FLAG */
export function readGlobals(
  args: Arguments,
  env: Readonly<Record<string, string | undefined>>,
  defaults: ConfigDefaults,
  own: readonly string[] = [],
): Globals {
  const color = args['color']
  if (typeof color === 'string' && !['', 'always', 'never', 'auto', 'true', 'false'].includes(color)) {
    throw new SluiceError('BAD_FLAG', `--color takes always, never or auto, and not ${color}`)
  }
  const schema = chooseSchema(optionalText(args, 'schema'), env)
  return {
    ci: flag(args, 'ci'),
    json: flag(args, 'json'),
    tui: flag(args, 'tui'),
    quit: flag(args, 'quit'),
    background: flag(args, 'background'),
    distributed: distributedWish(args, env, defaults, own),
    connect: knownQueue(args, defaults, env),
    quiet: flag(args, 'quiet'),
    verbose: flag(args, 'verbose'),
    yes: flag(args, 'yes'),
    input: flag(args, 'input'),
    ascii: flag(args, 'ascii'),
    ...given('logFile', optionalText(args, 'log-file') ?? defaults['log-file']),
    ...given('maxRuntimeMs', optionalDuration(args, 'max-runtime', defaults['max-runtime']?.toString())),
    metrics: metricsWish(optionalText(args, 'metrics'), defaults.metrics),
    catalog: catalogInSchema(
      namedCatalog(chooseCatalog(optionalText(args, 'database-url'), env, defaults['database-url']), defaults, env),
      schema,
    ),
    schema,
  }
}
