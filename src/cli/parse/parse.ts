/** Parses a command line to a request. yargs splits the words; everything else is decided here. */
import { existsSync } from 'node:fs'
import type { Argv } from 'yargs'
import { isS3Url, parseLakeUrl, urlScheme } from '../../model/lake/lake-url.ts'
import { commandPage, pageWithoutYargs } from '../help/help-page.ts'
import { hasFlag } from '../config/config-search.ts'
import { topHelp } from '../help/help.ts'
import { toolVersion } from '../version.ts'
import { otherWord } from '../help/other-words.ts'
import { SluiceError } from '../../shared/errors.ts'
import { given, givenList, givenText, type Arguments } from './arguments.ts'
import { catalogUrl, keptCatalogs, findKeptCatalog, type CatalogChoice } from '../flags/catalog-choice.ts'
import { fromSparkSubmit } from '../cdm/submit.ts'
import { GLOBAL_OPTIONS } from '../../engine/run/operations/global-options.ts'
import type { CommandDeclaration, Option } from '../../engine/run/operations/option.ts'
import type { LifecycleStatusOperation } from '../../partition/operations/lifecycle-status/declaration.ts'
import { closest } from '../../shared/closest.ts'
import { commandNamed, COMMANDS } from './command-list.ts'
import { usageErrorOf, unknownFlag } from './usage-errors.ts'
import { currentFlags } from './former-flags.ts'
import type { Request } from '../commands/command.ts'
import type { ConfigDefaults } from '../config/config.ts'
import { actionsOf } from '../../app/operations/facts.ts'
import { isCopyUrl } from '../../engine/run/systems.ts'
import { configFlag, declareGlobals, firstWord, requestedHelp, readGlobals, splitAtEnd } from './globals.ts'
import type { Globals } from './globals.ts'
import { DEFAULT_CONFIG } from '../config/lifecycle-defaults.ts'
import { allStores, noSuchStore, placeOr, storeOr, type ConfiguredStore } from '../config/named-stores.ts'
import { refuseRepeatedFlags, refuseUnneededConfirm } from './ambiguous-flags.ts'
import { declareCommand } from './option-flags.ts'
import { requestOfWords } from './readers.ts'
import { refuseUnusedSchema, targetInSchema } from '../flags/schema-choice.ts'

export type Parsed = { readonly request: Request; readonly globals: Globals }

/** Placeholder for words after `--`: yargs assigns them to no operand, and would read `-dash` as flags. */
const LITERAL = '\u0000'

type LocalPlace = 'file' | 'folder'

/** A first word that is no command must be a path or a URL. @throws SluiceError NO_SUCH_PATH */
function checkFirstWord(word: string): void {
  if (word.includes('://') || existsSync(word)) return
  const names = COMMANDS.map((command) => command.name)
  // An action of several commands, such as list, does not identify a command.
  const having = names.filter((name) => actionsOf(name).some((action) => action.name === word))
  const of = having.length === 1 ? having[0] : undefined
  const other = of === undefined ? otherWord(word) : null
  if (other !== null) throw new SluiceError('NO_SUCH_PATH', `no such path or command: ${word}`, { hint: other })
  const meant = of === undefined ? closest(word, names) : `${of} ${word}`
  throw new SluiceError('NO_SUCH_PATH', `no such path or command: ${word}${meant === null ? '' : ` (${meant}?)`}`, {
    hint: meant === null ? 'sluice --help lists the commands' : `sluice ${of ?? meant} --help shows how to call it`,
  })
}

/**
 * Refuses an empty value of a number option, as an unset variable leaves it: yargs would read it as 0.
 * @throws SluiceError BAD_FLAG
 */
function refuseEmptyNumbers(args: Arguments, argv: readonly string[]): void {
  for (const [name, value] of Object.entries(args)) {
    if (value !== 0 && !(Array.isArray(value) && value.includes(0))) continue
    const typed = `${name.length === 1 ? '-' : '--'}${name}`
    const empty = argv.some(
      (word, index) =>
        (word === typed && argv[index + 1]?.trim() === '') ||
        (word.startsWith(`${typed}=`) && word.slice(typed.length + 1).trim() === ''),
    )
    if (!empty) continue
    throw new SluiceError('BAD_FLAG', `${typed} is empty`, {
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
  help: 'first' | 'all' | null,
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
      throw error instanceof SluiceError ? error : usageErrorOf(message ?? error.message, entry)
    })
  declareGlobals(parser, defaults, entry === null ? [] : entry.takes.map(({ name }) => name))
  for (const command of COMMANDS) {
    parser.command({
      command: `${command.name} ${command.operands}`.trim(),
      describe: command.summary,
      builder: (inner) => {
        declareCommand(inner, command, defaults, help)
        return inner
      },
      handler: async (parsed) => {
        const args = read(parsed, command.takes)
        const own = command.takes.map(({ name }) => name)
        const globals = readGlobals(args, env, defaults, own)
        const { catalog } = globals
        outcome.globals = globals
        refuseUnusedSchema(globals)
        refuseRemotePlaces(command.name, { 'log-file': defaults['log-file'], ...args })
        const chosen: { choice: CatalogChoice | null } = { choice: null }
        const named = (): string => {
          if (catalog !== null) return catalogUrl(catalog)
          const kept = namesNoPlace(command, args) ? keptCatalogs(env) : []
          const [only, ...more] = kept
          chosen.choice = findKeptCatalog(placeOperand(args), env)
          if (chosen.choice === null && only !== undefined && more.length === 0)
            chosen.choice = { url: only, from: 'state' }
          return catalogUrl(chosen.choice, kept)
        }
        outcome.request = await requestOfWords(command, args, {
          catalog: named,
          optionalCatalog: () => (catalog === null ? undefined : catalogUrl(catalog)),
          env,
          defaults,
          read: async (words) => (await parseCommandLine(words, env)).request,
        })
        if (chosen.choice !== null) {
          const { url } = chosen.choice
          outcome.request = withNote(
            outcome.request,
            `no catalog is given: using ${url}, the one that the terminal UI created`,
          )
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
      const words = givenList(args, 'words')
      if (words.length > 1) {
        throw new SluiceError('BAD_FLAG', `give one path, not ${words.length}: ${words.join(' ')}`)
      }
      const target = placeOr(words[0] ?? '.', defaults, env)
      if (isS3Url(target)) parseLakeUrl(target)
      const word = givenText(args, 'from')
      const database = word === undefined ? undefined : storeOr(word, defaults, env)
      if (database !== undefined && !isCopyUrl(database)) {
        throw (
          noSuchStore(database, defaults, '--from') ??
          new SluiceError('BAD_FLAG', '--from is not the URL of a database', {
            hint: 'write it like postgresql://user@host/database, or remove --from',
          })
        )
      }
      outcome.request = {
        kind: 'open',
        target: targetInSchema(target, globals),
        ...(database === undefined ? {} : { database }),
        ...(await lifecycleFor(args, defaults, env)),
        ...given('stores', await nearbyStores(target, database, defaults, env)),
      }
    },
  })
}

/** Options of a command for a local file or folder. A URL as value would create a folder with `:` in its name. */
export function localPlaces(command: string): Readonly<Record<string, LocalPlace>> {
  const options = [...GLOBAL_OPTIONS, ...(commandNamed(command)?.takes ?? [])]
  return Object.fromEntries(
    options.flatMap(({ name, completes }) =>
      completes === 'file' || completes === 'folder' ? [[name, completes] as const] : [],
    ),
  )
}

/** @throws SluiceError BAD_FLAG for a URL where a local file or folder is required */
function refuseRemotePlaces(command: string, args: Arguments): void {
  for (const [option, takes] of Object.entries(localPlaces(command))) {
    const value = args[option]
    if (typeof value !== 'string') continue
    const scheme = urlScheme(value)
    if (scheme === null) continue
    throw new SluiceError('BAD_FLAG', `--${option} takes a ${takes} of this machine, not a URL (${scheme}:)`, {
      where: value,
      hint: `name a ${takes} by its path; what is written there can be copied to another place afterwards`,
    })
  }
}

/** The place named by the operands, else the current folder. */
function placeOperand(args: Arguments): string {
  const named = [args['path'], args['table']].flat().find((word) => typeof word === 'string' && word !== '')
  return typeof named === 'string' ? named : '.'
}

/** True if the operands name no path: they name tables by id or by the end of their path, or are absent. */
function namesNoPlace({ takes }: CommandDeclaration, args: Arguments): boolean {
  if (args['path'] !== undefined || takes.some(({ completes, operand }) => completes === 'path' && operand === true))
    return false
  const tables = [args['table']].flat().filter((word) => typeof word === 'string')
  return tables.every((word) => !/^\.{0,2}\/|:\/\//.test(word) && !existsSync(word))
}

/** Adds a note printed at the beginning. */
function withNote(request: Request, note: string): Request {
  if (request.kind !== 'operation') return request
  const { reported = { printed: {} } } = request
  return { ...request, reported: { ...reported, notes: [...(reported.notes ?? []), note] } }
}

/**
 * Stores that the UI lists in addition to the opened store: the stores of the config file. If the file has none, and
 * the folder has no lake: the database of $DATABASE_URL.
 */
async function nearbyStores(
  target: string,
  database: string | undefined,
  defaults: ConfigDefaults,
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly ConfiguredStore[] | undefined> {
  if (defaults.stores !== undefined) return allStores(defaults, env)
  const url = env['DATABASE_URL']?.trim() ?? ''
  if (database !== undefined || target.includes('://') || !isCopyUrl(url)) return undefined
  const { holdsTable } = await import('../init/found.ts')
  return holdsTable(target) ? undefined : [{ name: '$DATABASE_URL', url }]
}

/**
 * Lifecycle settings of the config file for the UI; empty if one of their variables is not set.
 */
async function lifecycleFor(
  args: Arguments,
  defaults: ConfigDefaults,
  env: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly lifecycle?: LifecycleStatusOperation }> {
  if (defaults.lifecycle === undefined) return {}
  try {
    const { lifecycleStatusRequest: lifecycleStatus } = await import('../commands/lifecycle.ts')
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
    const { completionAnswer } = await import('../completion/answer.ts')
    const text = await completionAnswer(typed.slice(2), env)
    return { request: { kind: 'help', text }, globals: readGlobals({}, {}, {}) }
  }
  if (typed[0] === 'completion' && typed[1] === 'raw' && typed[2] === '--') {
    const { rawAnswer } = await import('../completion/answer.ts')
    return { request: { kind: 'help', text: await rawAnswer(typed.slice(3), env) }, globals: readGlobals({}, {}, {}) }
  }
  const argv = currentFlags(fromSparkSubmit(typed))
  const word = firstWord(argv)
  const entry = word === null ? null : commandNamed(word)
  const help = requestedHelp(argv)
  if (help !== null) {
    const page = await pageWithoutYargs(word, entry, hasFlag(argv, '--json'))
    if (page !== null) return { request: { kind: 'help', text: page }, globals: readGlobals({}, {}, {}) }
  }
  const file = configFlag(argv) ?? (word === 'lifecycle' && existsSync(DEFAULT_CONFIG) ? DEFAULT_CONFIG : null)
  const defaults = file === null ? {} : (await import('../config/config.ts')).readConfig(file)
  if (word !== null && entry === null && !Object.hasOwn(defaults.stores ?? {}, word)) checkFirstWord(word)
  const outcome: Outcome = { request: null, globals: null }
  // yargs would read `--help=all` as `--help` turned off.
  const { words, reveal } = hideLiterals(argv.map((one) => one.replace(/^(--help|-h)=all$/, '$1')))
  const read = (args: Arguments, takes: readonly Option[] = []): Arguments => {
    refuseEmptyNumbers(args, words)
    refuseRepeatedFlags(args, words, takes)
    return Object.fromEntries(Object.entries(args).map(([name, value]) => [name, reveal(value)]))
  }
  let page = ''
  try {
    const parser = await buildParser(entry, env, defaults, outcome, read, help)
    await parser.parseAsync(words.flatMap(withOwnQuotes), {}, (_error: unknown, _args: unknown, output: string) => {
      page = output
    })
  } catch (error) {
    // yargs throws some messages without calling .fail(), such as a flag without its value.
    const usage = error instanceof Error && error.name === 'YError' ? usageErrorOf(error.message, entry) : error
    const unknown = usage instanceof SluiceError ? /^Unknown arguments?: (.+)$/.exec(usage.message) : null
    if (unknown === null) throw usage
    throw unknownFlag(reveal(unknown[1] ?? ''), argv, entry)
  }
  if (page !== '') {
    // `-qh` requests help too; yargs alone recognises it.
    if (help === null && entry !== null) return await parseCommandLine(['--help', ...argv], env)
    const text = entry === null ? topHelp(toolVersion()) : commandPage(page, entry, help === 'all')
    return { request: { kind: 'help', text }, globals: readGlobals({}, {}, {}) }
  }
  if (outcome.request === null || outcome.globals === null)
    throw new Error('the command line was read, but has no operation')
  return { request: outcome.request, globals: outcome.globals }
}

/** Replaces words after `--` by placeholders: they are operands even with dashes. `reveal` restores the words. */
function hideLiterals(argv: readonly string[]): {
  readonly words: readonly string[]
  readonly reveal: <T>(value: T) => T | string
} {
  const [flags, [end, ...literals]] = splitAtEnd(argv)
  if (end === undefined) return { words: argv, reveal: (value) => value }
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
  return { words: [...flags, ...placeholders], reveal }
}

/**
 * Splits `--flag="value"` into two words: yargs strips quotes within one word if the option is a list, and never strips
 * quotes of a separate word.
 */
function withOwnQuotes(word: string): readonly string[] {
  return /^(--[^=]+)=(['"].*)$/s.exec(word)?.slice(1) ?? [word]
}

/** The help page of a command. @param all true: with every option, not only with the first ones */
export async function commandHelp(name: string, all = false): Promise<string> {
  const { request } = await parseCommandLine([name, all ? '--help=all' : '--help'], {})
  return request.kind === 'help' ? request.text : ''
}
