/** Parses commands that the UI prints or fills in, and finds the plan to show before they start. */
import { declarationOf, planOf, storesOf, urlsOf, withUrls } from '../../app/operations/facts.ts'
import type { CommandPort, ReadCommand, Startable } from '../../app/command-port.ts'
import type { InspectingCommand } from '../../engine/run/operations/declaration.ts'
import type { CommandDeclaration } from '../../engine/run/operations/option.ts'
import type { Operation } from '../../app/operations/list.ts'
import { SluiceError } from '../../shared/errors.ts'
import { redactText, redactUrl, secretsOfUrl } from '../../shared/redact.ts'
import { shellWords } from '../../shared/shell-words.ts'
import { commandLine } from '../parse/command-line.ts'
import { commandNamed } from '../parse/command-list.ts'
import type { Request } from '../commands/command.ts'
import { withConfig } from '../config/config-search.ts'
import { configFlag, firstWord } from '../parse/globals.ts'
import { commandHelp, parseCommandLine } from '../parse/parse.ts'
import { LineOutput } from '../output/line-output.ts'
import type { CliContext } from '../ports.ts'
import { commandForms } from './forms.ts'

export type UiCommandOptions = {
  readonly secrets: readonly string[]
  /** URLs with passwords; the workbench finds them by their redacted form. */
  readonly urls: readonly string[]
  /** Default config file of forms. */
  readonly config?: string
  /** Called with a URL with a password that the user typed. */
  readonly learned?: (url: string) => void
}

type Env = CliContext['env']

/** @returns parsing and output of commands, as on the command line */
export async function uiCommands(
  { env, program = 'sluice' }: Pick<CliContext, 'env' | 'program'>,
  { secrets, urls, config, learned }: UiCommandOptions,
): Promise<CommandPort> {
  const { textFrontend } = await import('../output/render-text.ts')
  const known = new Map(urls.map((url) => [redactUrl(url), url]))
  const typed: string[] = []
  const redact = (text: string): string => redactText(text, [...secrets, ...typed])
  // Redact known URLs; the workbench restores their passwords.
  const labelled = ({ operation, commandLine: line }: ReadCommand): ReadCommand => ({
    commandLine: line,
    operation: withUrls(operation, (url) => (known.get(redactUrl(url)) === url ? redactUrl(url) : url)),
  })
  const learn = (url: string): void => {
    if (redactUrl(url) === url || known.get(redactUrl(url)) === url) return
    known.set(redactUrl(url), url)
    typed.push(...secretsOfUrl(url))
    learned?.(url)
  }
  const startable = async (argv: readonly string[], asked: ParsedRequest, line: string): Promise<Startable> => {
    const { request } = asked
    const { notes = [], warnings = [] } = request.reported ?? {}
    const read = { operation: request.operation, commandLine: line }
    const plan = await planOfCommand(read, argv, env, secrets)
    return {
      ...labelled(read),
      plan: plan === null ? null : labelled(plan),
      lists: declarationOf(request.operation.kind).display === 'listing',
      notes: [...notes, ...warnings, ...(plan === null ? storeLines(request.operation) : [])],
    }
  }
  const configured = (words: readonly string[]): readonly string[] =>
    configFlag(words) === null ? withConfig(words, config ?? null) : words
  return {
    read: async (line) => {
      const [, ...argv] = shellWords(line, env)
      return startable(argv, await parseRequest(argv, env, secrets), line)
    },
    readWords: async (said) => {
      const words = configured(said)
      const asked = await parseRequest(words, env, secrets)
      for (const url of urlsOf(asked.request.operation)) learn(url)
      return startable(words, asked, redact(asked.printed))
    },
    forms: commandForms,
    called: (line) =>
      line.replaceAll(PROGRAM, (all, before?: string) => (before === undefined ? all : before + program)),
    complete: async (words) => {
      const { completedWords: completed } = await import('./completion.ts')
      // Put the flag first: the last word is being completed, and may be the value of the word before it.
      const line = configFlag(words) === null && config !== undefined ? ['--config', config, ...words] : words
      return completed(
        line.map((word) => withPassword(word, known)),
        env,
      )
    },
    help: ([name = '']) => commandHelp(name, true),
    story: (plan) => {
      const output = new LineOutput()
      const options = { quiet: false, verbose: false, color: false, github: false, redact, dryRun: plan }
      const face = textFrontend(output, { ...options, progress: !plan })
      return {
        take: (event) => {
          face.event(event, false)
          if (event.type === 'run.finished') void face.close()
          return output.taken()
        },
      }
    },
  }
}

/** Calls of the program in a line, skipping quoted texts that may contain its name. */
const PROGRAM = /'[^']*'|"[^"]*"|(^| && )sluice(?= )/g

/** The URL with password for a redacted URL of an open database. */
function withPassword(word: string, known: ReadonlyMap<string, string>): string {
  return known.get(word) ?? word
}

/** Stores that the operation reads or changes, by its declaration. */
function storeLines(operation: Operation): readonly string[] {
  const stores = storesOf(operation)
  const lines = stores.map(({ name, changes }) => `${changes ? 'writes' : 'reads '}  ${redactUrl(name)}`)
  return stores.some(({ changes }) => changes) ? lines : [...lines, 'nothing is changed']
}

type ParsedRequest = { readonly request: Extract<Request, { kind: 'operation' }>; readonly printed: string }

async function parseRequest(argv: readonly string[], env: Env, secrets: readonly string[]): Promise<ParsedRequest> {
  const {
    request,
    globals: { catalog },
  } = await parseCommandLine(argv, env)
  if (request.kind !== 'operation') throw onlyShell('it only prints a text')
  const { reported } = request
  if (reported?.hours !== undefined) throw onlyShell('--between is not possible here')
  if (reported?.log !== undefined) throw onlyShell(`it writes ${reported.log}`)
  return { request, printed: commandLine(argv, catalog, secrets, { env, ...reported?.printed }) }
}

/** @returns null if the command has no plan */
async function planOfCommand(
  read: ReadCommand,
  argv: readonly string[],
  env: Env,
  secrets: readonly string[],
): Promise<ReadCommand | null> {
  const { operation, commandLine: line } = read
  const plan = planOf(operation)
  const { inspection: look, display } = declarationOf(operation.kind)
  if (plan !== null) return { operation: plan, commandLine: `${line} --dry-run` }
  if (display === 'listing') return read
  if (look === undefined) return null
  const { request, printed } = await parseRequest(planWords(argv, look), env, secrets)
  return { operation: request.operation, commandLine: printed }
}

/**
 * The words of the command that shows the plan of `argv`; it runs first.
 * @param argv without `sluice`
 */
export function planWords(argv: readonly string[], planCommand: InspectingCommand): readonly string[] {
  const command = commandNamed(firstWord(argv) ?? '')
  const actions = command?.takes.some(({ name, operand }) => operand === true && name === 'action') === true ? 2 : 1
  const { operands, options } = splitWords(argv, command)
  const kept = options.filter(({ name }) => name === 'config' || planCommand.keeps.includes(name))
  return [
    ...planCommand.command.split(' '),
    ...operands.slice(actions),
    ...kept.flatMap(({ words }) => words),
    ...(planCommand.add ?? []),
  ]
}

type GivenOption = { readonly name: string; readonly words: readonly string[] }

/** Splits words into operands, and options with their values. */
function splitWords(
  argv: readonly string[],
  command: CommandDeclaration | null,
): { readonly operands: readonly string[]; readonly options: readonly GivenOption[] } {
  const operands: string[] = []
  const options: GivenOption[] = []
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] ?? ''
    if (!word.startsWith('-')) {
      operands.push(word)
      continue
    }
    const [name = '', value] = word.replace(/^--?/, '').split('=', 2)
    const option = command?.takes.find((known) => known.name === name || [known.alias].flat().includes(name))
    const next = argv[index + 1]
    const isAlone = value !== undefined || option?.type === 'flag' || next === undefined || next.startsWith('--')
    options.push({ name: option?.name ?? name, words: isAlone ? [word] : [word, next] })
    if (!isAlone) index += 1
  }
  return { operands, options }
}

function onlyShell(why: string): SluiceError {
  return new SluiceError('BAD_FLAG', `the UI cannot start this command: ${why}`, { hint: 'run it in a shell' })
}
