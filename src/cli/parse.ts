/** Parses a command line to a request. yargs splits the words; everything else is decided here. */
import { existsSync } from 'node:fs'
import type { Argv } from 'yargs'
import { isS3Url, parseLakeUrl, urlScheme } from '../model/lake/lake-url.ts'
import { otherWord } from './other-words.ts'
import { SluiceError } from '../shared/errors.ts'
import { list, optionalText } from './arguments.ts'
import type { Arguments } from './arguments.ts'
import { catalogUrl, keptCatalogs, standingCatalog } from './catalog-choice.ts'
import type { CatalogChoice } from './catalog-choice.ts'
import { fromSparkSubmit } from './cdm/submit.ts'
import type { CommandDeclaration, Option } from '../engine/run/operations/option.ts'
import type { LifecycleStatusOperation } from '../partition/operations/lifecycle-status/declaration.ts'
import { closest } from '../shared/closest.ts'
import { commandNamed, COMMANDS } from './command-list.ts'
import { complaint, unknownFlag } from './complaints.ts'
import type { Request } from './commands/command.ts'
import type { ConfigDefaults } from './config.ts'
import { examplesText } from './examples.ts'
import { actionsOf, commandNameOf, declarationOf } from '../app/operations/facts.ts'
import { OPERATIONS, type OperationKind } from '../app/operations/list.ts'
import { isCopyUrl } from '../engine/run/systems.ts'
import { configFlag, declareGlobals, firstWord, readGlobals } from './globals.ts'
import type { Globals } from './globals.ts'
import { DEFAULT_CONFIG } from './lifecycle-defaults.ts'
import { allStores, noSuchStore, placeOr, storeOr } from './named-stores.ts'
import { refuseTwice, refuseUnneededConfirm } from './once.ts'
import { declareCommand } from './option-flags.ts'
import { requestOf } from './readers.ts'
import { refuseLoneSchema, targetInSchema } from './schema-choice.ts'

export type Parsed = { readonly request: Request; readonly globals: Globals }

/** Placeholder for words after `--`: yargs gives them to no operand, and would read `-dash` as flags. */
const LITERAL = '\u0000'

type LocalPlace = 'file' | 'folder'

/** Local files of global flags. */
const GLOBAL_PLACES: Readonly<Record<string, LocalPlace>> = { config: 'file', 'log-file': 'file' }

/** The first word must be a command, a path or a URL. @throws SluiceError NO_SUCH_PATH */
function checkFirstWord(word: string): void {
  if (word.includes('://') || existsSync(word)) return
  const names = COMMANDS.map((command) => command.name)
  // An action of several commands, such as list, does not identify one.
  const having = names.filter((name) => actionsOf(name).some((action) => action.name === word))
  const of = having.length === 1 ? having[0] : undefined
  const other = of === undefined ? otherWord(word) : null
  if (other !== null) throw new SluiceError('NO_SUCH_PATH', `no such path or command: ${word}`, { hint: other })
  const meant = of === undefined ? closest(word, names) : `${of} ${word}`
  throw new SluiceError('NO_SUCH_PATH', `no such path or command: ${word}${meant === null ? '' : ` (${meant}?)`}`, {
    hint: meant === null ? 'sluice --help lists the commands' : `sluice ${of ?? meant} --help shows how to call it`,
  })
}

/** yargs reads an empty text, as from an unset variable, as 0. @throws SluiceError BAD_FLAG */
function refuseEmptyNumbers(args: Arguments, argv: readonly string[]): void {
  for (const [name, value] of Object.entries(args)) {
    if (value !== 0 && !(Array.isArray(value) && value.includes(0))) continue
    const given = `${name.length === 1 ? '-' : '--'}${name}`
    const empty = argv.some(
      (word, index) =>
        (word === given && argv[index + 1]?.trim() === '') ||
        (word.startsWith(`${given}=`) && word.slice(given.length + 1).trim() === ''),
    )
    if (!empty) continue
    throw new SluiceError('BAD_FLAG', `${given} is empty`, {
      hint: 'if it comes from a variable, check that the variable is set',
    })
  }
}

type Outcome = { request: Request | null; globals: Globals | null }

async function buildParser(
  entry: CommandDeclaration | null,
  env: Readonly<Record<string, string | undefined>>,
  defaults: ConfigDefaults,
  outcome: Outcome,
  read: (args: Arguments, takes?: readonly Option[]) => Arguments,
): Promise<Argv> {
  const { default: yargs } = await import('yargs')
  const parser = yargs()
    .scriptName('sluice')
    .parserConfiguration({ 'camel-case-expansion': false, 'dot-notation': false })
    .locale('en')
    .wrap(80)
    .version(false)
    .help('help', 'show this page')
    .alias('help', 'h')
    .exitProcess(false)
    .strict()
    .fail((message, error) => {
      throw error instanceof SluiceError ? error : complaint(message ?? error.message, entry)
    })
  declareGlobals(parser, defaults, entry === null ? [] : entry.takes.map(({ name }) => name))
  for (const command of COMMANDS) {
    parser.command({
      command: `${command.name} ${command.operands}`.trim(),
      describe: command.summary,
      builder: (inner) => {
        declareCommand(inner, command, defaults)
        return inner
      },
      handler: async (parsed) => {
        const args = read(parsed, command.takes)
        const own = command.takes.map(({ name }) => name)
        const globals = readGlobals(args, env, defaults, own)
        const { catalog } = globals
        outcome.globals = globals
        refuseLoneSchema(globals)
        refuseRemotePlaces(command.name, { 'log-file': defaults['log-file'], ...args })
        const chosen: { choice: CatalogChoice | null } = { choice: null }
        const named = (): string => {
          if (catalog !== null) return catalogUrl(catalog)
          const kept = namesNoPlace(command, args) ? keptCatalogs(env) : []
          const [only, ...more] = kept
          chosen.choice = standingCatalog(placeAmong(args), env)
          if (chosen.choice === null && only !== undefined && more.length === 0)
            chosen.choice = { url: only, from: 'state' }
          return catalogUrl(chosen.choice, kept)
        }
        outcome.request = await requestOf(command, args, {
          catalog: named,
          optionalCatalog: () => (catalog === null ? undefined : catalogUrl(catalog)),
          env,
          defaults,
          read: async (words) => (await parseCommandLine(words, env)).request,
        })
        if (chosen.choice !== null) {
          const { url } = chosen.choice
          outcome.request = withNote(outcome.request, `no catalog is named: taken is ${url}, which the UI keeps`)
        }
        const { request } = outcome
        refuseUnneededConfirm(args, request.kind === 'operation' ? request.operation : null)
      },
    })
  }
  return parser.command({
    command: '$0 [words..]',
    describe: false,
    builder: (inner) => inner.option('from', { type: 'string', requiresArg: true, hidden: true }),
    handler: async (parsed) => {
      const args = read(parsed)
      const globals = readGlobals(args, env, defaults)
      outcome.globals = globals
      refuseRemotePlaces('', args)
      const words = list(args, 'words')
      if (words.length > 1) {
        throw new SluiceError('BAD_FLAG', `one path at a time, and not ${words.length}: ${words.join(' ')}`)
      }
      const target = placeOr(words[0] ?? '.', defaults, env)
      if (isS3Url(target)) parseLakeUrl(target)
      const word = optionalText(args, 'from')
      const database = word === undefined ? undefined : storeOr(word, defaults, env)
      if (database !== undefined && !isCopyUrl(database)) {
        throw (
          noSuchStore(database, defaults, '--from') ??
          new SluiceError('BAD_FLAG', '--from is no URL of a database', {
            hint: 'write it like postgresql://user@host/database, or leave it out',
          })
        )
      }
      outcome.request = {
        kind: 'open',
        target: targetInSchema(target, globals),
        ...(database === undefined ? {} : { database }),
        ...(await lifecycleFor(args, defaults, env)),
        ...(defaults.stores === undefined ? {} : { stores: allStores(defaults, env) }),
      }
    },
  })
}

/** Options of a command that take a local file or folder. A URL there would create a folder with `:` in its name. */
export function localPlaces(command: string): Readonly<Record<string, LocalPlace>> {
  const own = (commandNamed(command)?.takes ?? []).flatMap(({ name, completes }) =>
    completes === 'file' || completes === 'folder' ? [[name, completes] as const] : [],
  )
  return { ...GLOBAL_PLACES, ...Object.fromEntries(own) }
}

/** @throws SluiceError BAD_FLAG for a URL where a local file or folder is required */
function refuseRemotePlaces(command: string, args: Arguments): void {
  for (const [option, takes] of Object.entries(localPlaces(command))) {
    const value = args[option]
    if (typeof value !== 'string') continue
    const scheme = urlScheme(value)
    if (scheme === null) continue
    throw new SluiceError('BAD_FLAG', `--${option} takes a ${takes} of this machine, and no ${scheme}: URL`, {
      where: value,
      hint: `name a ${takes} by its path; what is written there can be copied to another place afterwards`,
    })
  }
}

/** The place named by the operands, else the current folder. */
function placeAmong(args: Arguments): string {
  const named = [args['path'], args['table']].flat().find((word) => typeof word === 'string' && word !== '')
  return typeof named === 'string' ? named : '.'
}

/** Whether the operands name no path: tables by id or by the end of their path, or the whole catalog. */
function namesNoPlace({ takes }: CommandDeclaration, args: Arguments): boolean {
  if (args['path'] !== undefined || takes.some(({ completes, operand }) => completes === 'path' && operand === true))
    return false
  const tables = [args['table']].flat().filter((word) => typeof word === 'string')
  return tables.every((word) => !/^\.{0,2}\/|:\/\//.test(word) && !existsSync(word))
}

/** Adds a note printed at the beginning. */
function withNote(request: Request, note: string): Request {
  if (request.kind !== 'operation') return request
  const { told = { printed: {} } } = request
  return { ...request, told: { ...told, notes: [...(told.notes ?? []), note] } }
}

/** Lifecycle settings for the UI; empty if a variable of the config file is not set, so that the UI still opens. */
async function lifecycleFor(
  args: Arguments,
  defaults: ConfigDefaults,
  env: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly lifecycle?: LifecycleStatusOperation }> {
  if (defaults.lifecycle === undefined) return {}
  try {
    const { lifecycleStatus } = await import('./commands/lifecycle.ts')
    return { lifecycle: lifecycleStatus(args, { defaults, env }) }
  } catch (error) {
    if (error instanceof SluiceError) return {}
    throw error
  }
}

/**
 * Parses a command line.
 * @throws SluiceError of kind usage, with the mistake and the probable intention
 */
export async function parseCommandLine(
  typed: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<Parsed> {
  // Completion requests contain incomplete words, so they are not parsed.
  if (typed[0] === 'completion' && typed[1] === '--') {
    const { completionAnswer } = await import('./completion/answer.ts')
    const text = await completionAnswer(typed.slice(2), env)
    return { request: { kind: 'help', text }, globals: readGlobals({}, {}, {}) }
  }
  if (typed[0] === 'completion' && typed[1] === 'raw' && typed[2] === '--') {
    const { rawAnswer } = await import('./completion/answer.ts')
    return { request: { kind: 'help', text: await rawAnswer(typed.slice(3), env) }, globals: readGlobals({}, {}, {}) }
  }
  const argv = fromSparkSubmit(typed)
  const word = firstWord(argv)
  const entry = word === null ? null : commandNamed(word)
  const file = configFlag(argv) ?? (word === 'lifecycle' && existsSync(DEFAULT_CONFIG) ? DEFAULT_CONFIG : null)
  const defaults = file === null ? {} : (await import('./config.ts')).readConfig(file)
  const other = argv.length === 2 && argv[1] === '--help' && entry === null ? otherWord(word ?? '') : null
  if (other !== null)
    return { request: { kind: 'help', text: `${word}: ${other}\n` }, globals: readGlobals({}, {}, {}) }
  if (word !== null && entry === null && !Object.hasOwn(defaults.stores ?? {}, word)) checkFirstWord(word)
  const outcome: Outcome = { request: null, globals: null }
  const { words, reveal } = hideLiterals(argv)
  const read = (args: Arguments, takes: readonly Option[] = []): Arguments => {
    refuseEmptyNumbers(args, words)
    refuseTwice(args, words, takes)
    return Object.fromEntries(Object.entries(args).map(([name, value]) => [name, reveal(value)]))
  }
  let help = ''
  try {
    const parser = await buildParser(entry, env, defaults, outcome, read)
    await parser.parseAsync(words.map(withOwnQuotes), {}, (_error: unknown, _args: unknown, output: string) => {
      help = output
    })
  } catch (error) {
    // yargs throws some messages without calling .fail(), such as a flag without its value.
    const usage = error instanceof Error && error.name === 'YError' ? complaint(error.message, entry) : error
    const unknown = usage instanceof SluiceError ? /^Unknown arguments?: (.+)$/.exec(usage.message) : null
    if (unknown === null) throw usage
    throw unknownFlag(reveal(unknown[1] ?? ''), argv, entry === null ? '' : await commandHelp(entry.name), entry)
  }
  if (help !== '')
    return { request: { kind: 'help', text: withExamples(help, entry) }, globals: readGlobals({}, {}, {}) }
  if (outcome.request === null || outcome.globals === null)
    throw new Error('the command line was read, but nothing came of it')
  return { request: outcome.request, globals: outcome.globals }
}

/** Replaces words after `--` by placeholders: they are operands whatever they look like. `reveal` restores them. */
function hideLiterals(argv: readonly string[]): {
  readonly words: readonly string[]
  readonly reveal: <T>(value: T) => T | string
} {
  const end = argv.indexOf('--')
  if (end === -1) return { words: argv, reveal: (value) => value }
  const literals = argv.slice(end + 1)
  const placeholders = literals.map((_, index) => `${LITERAL}${index}${LITERAL}`)
  const one = (text: string): string => {
    let plain = text
    for (const [index, placeholder] of placeholders.entries()) {
      plain = plain.split(placeholder).join(literals[index] ?? '')
    }
    return plain
  }
  const reveal = <T>(value: T): T | string => {
    if (typeof value === 'string') return one(value)
    return Array.isArray(value) ? (value.map((item: unknown) => reveal(item)) as T) : value
  }
  return { words: [...argv.slice(0, end), ...placeholders], reveal }
}

/** Adds examples to a help page of yargs, broken so that a shell accepts them. */
function withExamples(page: string, entry: CommandDeclaration | null): string {
  const examples = entry === null ? '' : `${examplesText(entry.name)}\n`
  const around = entry !== null && canGoOn(entry.name) ? BACKGROUND : ''
  return `${page.trimEnd()}\n\n${examples}${around}\`sluice --help\` lists the flags of every command.\n`
}

const BACKGROUND = '--background starts it so that it goes on when the terminal closes:\n`sluice attach` watches it.\n'

/** Whether runs of a command may continue in the background. */
function canGoOn(command: string): boolean {
  return (Object.keys(OPERATIONS) as OperationKind[]).some((kind) => {
    const { shape } = declarationOf(kind)
    return commandNameOf(kind) === command && (shape === 'long' || shape === 'lines')
  })
}

/** yargs removes quotes of `--flag="value"` that the shell has already processed; add a pair for it to remove. */
function withOwnQuotes(word: string): string {
  return word.replace(/^(--[^=]+=)((['"]).*\3)$/s, '$1$3$2$3')
}

/** The help page of a command. */
export async function commandHelp(name: string): Promise<string> {
  const { request } = await parseCommandLine([name, '--help'], {})
  return request.kind === 'help' ? request.text : ''
}
