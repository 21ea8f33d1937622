/** schedule: repeats a command. Its words are parsed like a command line. */
import path from 'node:path'
import process from 'node:process'
import { operationFolders, withStoreNames } from '../../app/share/sharing.ts'
import { queueable } from '../../app/share/queued-run.ts'
import { defaultNumber, destructionsOf } from '../../app/operations/facts.ts'
import type { Operation } from '../../app/operations/list.ts'
import { ruleText } from '../../app/share/schedules/rule-text.ts'
import { refuseUnschedulable } from '../../app/share/schedules/work.ts'
import { CATCH_UP } from '../../model/share/schedule.ts'
import { SluiceError } from '../../shared/errors.ts'
import { redactUrl, secretsOfUrl } from '../../shared/redact.ts'
import { shellQuote } from '../../shared/shell.ts'
import { shellWords } from '../../shared/shell-words.ts'
import { givenFlag, given, givenList, givenCount, givenText, requiredText, type Arguments } from '../parse/arguments.ts'
import { withConfig } from '../config/config-search.ts'
import { allStores } from '../config/named-stores.ts'
import { chooseQueue } from '../flags/queue-choice.ts'
import { scheduleRule } from '../flags/schedule-rule.ts'
import { operate, type Command, type Request, type RequestContext } from './command.ts'

const NAME = /^[A-Za-z0-9][\w.-]{0,62}$/
/** Flags that a scheduled command must not contain: a worker runs it, at the times of the schedule. */
const FORBIDDEN_FLAGS = [
  '--distributed',
  '--background',
  '--tui',
  '--json',
  '--max-runtime',
  '--log-file',
  '--config',
  '--no-config',
]

const schedule: Command = {
  request: async (args, context) => {
    const action = requiredText(args, 'action')
    if (action === 'list')
      return operate(
        { kind: 'schedule-list', ...queueOf(args, context), ...given('name', optionalName(args)) },
        reported(context),
      )
    const name = nameOf(args)
    switch (action) {
      case 'add':
        return await add(name, args, context)
      case 'print':
        return await print(name, args, context)
      case 'next':
        return operate(
          { kind: 'schedule-next', ...queueOf(args, context), name, limit: limitOf(args) },
          reported(context),
        )
      case 'history': {
        const runId = givenText(args, 'run')
        const output = givenFlag(args, 'output')
        return operate(
          {
            kind: 'schedule-history',
            ...queueOf(args, context),
            name,
            limit: limitOf(args),
            output,
            ...given('runId', runId),
          },
          reported(context),
        )
      }
      case 'pause':
      case 'resume':
      case 'run-now':
      case 'remove':
        return operate({ kind: 'schedule-change', ...queueOf(args, context), name, change: action }, reported(context))
      default:
        throw new Error(`no parser for schedule ${action}`)
    }
  },
}

async function add(name: string, args: Arguments, context: RequestContext): Promise<Request> {
  const { defaults, env } = context
  const words = wordsOf(args)
  const operation = await readInner(words, args, context)
  const known = allStores(defaults, env).filter(({ error }) => error === undefined)
  const placed = queueable(operation, known)
  const folders = new Set(operationFolders(operation))
  // Make words independent of the current folder, and replace URLs by store names.
  const kept = words.map((word) => {
    const [, flagName = '', value = word] = /^(--[\w-]+=)?(.*)$/s.exec(word) ?? []
    const store = placed.stores.find(({ url }) => url === value)
    return flagName + (store?.name ?? (folders.has(value) ? path.resolve(value) : value))
  })
  refuseSecrets(
    kept,
    known.map(({ url }) => url),
  )
  return operate(
    {
      kind: 'schedule-add',
      ...queueOf(args, context),
      name,
      rule: ruleText(scheduleRule(args, context.defaults)),
      catchUp: CATCH_UP.find((word) => word === givenText(args, 'catch-up')) ?? 'last',
      words: kept,
      commandLine: ['sluice', ...kept.map(shellQuote)].join(' '),
      scheduled: withStoreNames(placed.operation, placed.stores),
      names: known.map((store) => store.name),
      stores: known.map(({ url }) => url),
      slots: givenCount(args, 'tasks', 1, 64) ?? defaultNumber('schedule-add', 'tasks'),
      ...given('queue', givenText(args, 'queue')),
      replace: givenFlag(args, 'replace'),
    },
    reported(context),
  )
}

async function print(name: string, args: Arguments, context: RequestContext): Promise<Request> {
  const words = wordsOf(args)
  const scheduled = await readInner(words, args, context)
  refuseSecrets(
    words,
    words.map((word) => word.replace(/^--[\w-]+=/, '')),
  )
  return operate({
    kind: 'schedule-print',
    name,
    rule: ruleText(scheduleRule(args, context.defaults)),
    words: withConfig([...words, '--ci'], givenText(args, 'config') ?? null),
    destroys: refuseUnconfirmed(scheduled),
    folder: process.cwd(),
    as: givenText(args, 'as') === 'crontab' ? 'crontab' : 'systemd',
  })
}

/** The words after `--`. A single word, as from a form, is split as in a shell. */
function wordsOf(args: Arguments): readonly string[] {
  const words = givenList(args, 'command')
  const [first, ...more] = words
  if (first === undefined) {
    throw new SluiceError('BAD_FLAG', 'no command is given', {
      hint: 'write it after --, such as -- sync --all --database-url catalog',
    })
  }
  const split = more.length === 0 && /\s/.test(first) ? shellWords(first, {}) : words
  return split[0] === 'sluice' ? split.slice(1) : split
}

/** @throws SluiceError BAD_FLAG, BAD_CONFIG for words that start no operation, or that need a shell */
async function readInner(words: readonly string[], args: Arguments, context: RequestContext): Promise<Operation> {
  const unfit = words.find((word) => FORBIDDEN_FLAGS.includes(word.split('=')[0] ?? ''))
  if (unfit !== undefined) {
    throw new SluiceError('BAD_FLAG', `a scheduled command cannot have ${unfit}`, {
      hint: `remove ${unfit} from the command`,
    })
  }
  const request = await context.read(withConfig(words, givenText(args, 'config') ?? null))
  const said = words.slice(0, 2).join(' ')
  if (request.kind !== 'operation')
    throw new SluiceError('BAD_FLAG', `${said} cannot be scheduled`, {
      hint: 'the allowed commands are listed by sluice schedule --help',
    })
  if (request.reported?.hours !== undefined) {
    throw new SluiceError('BAD_FLAG', 'a scheduled command cannot have --between', {
      hint: 'remove --between; to set the time of day, give the schedule itself --at',
    })
  }
  if (request.reported?.log !== undefined) {
    throw new SluiceError('BAD_FLAG', 'a scheduled command cannot have --settings or --preset: they write a log file', {
      hint: 'remove them from the command, and give --workers and --batch-size instead',
    })
  }
  refuseUnschedulable(request.operation)
  return request.operation
}

/** @returns true if the operation destroys data @throws SluiceError MISSING_CONFIRM if a confirmation is missing */
function refuseUnconfirmed(operation: Operation): boolean {
  const destroys = destructionsOf(operation)
  const confirmed = new Map<string, unknown>(Object.entries(operation)).get('confirm') !== undefined
  if (!confirmed && destroys.some(({ confirm, asked }) => confirm !== undefined && asked !== undefined)) {
    throw new SluiceError('MISSING_CONFIRM', 'each scheduled run deletes data, and no user can confirm it', {
      hint: 'add --confirm=NAME to the command, with the name of the table',
    })
  }
  return destroys.length > 0
}

/** @throws SluiceError BAD_FLAG if the command would expose a password */
function refuseSecrets(words: readonly string[], urls: readonly string[]): void {
  const url = urls.find((one) => secretsOfUrl(one).some((secret) => words.some((word) => word.includes(secret))))
  if (url === undefined) return
  throw new SluiceError('BAD_FLAG', `the command would contain the password of ${redactUrl(url)}`, {
    hint: 'write the URL below stores: in the config file, and use its name',
  })
}

function nameOf(args: Arguments): string {
  const name = optionalName(args)
  if (name !== undefined) return name
  throw new SluiceError('BAD_FLAG', 'no schedule is named', {
    hint: 'name one of the schedules in sluice schedule list',
  })
}

function optionalName(args: Arguments): string | undefined {
  const name = givenText(args, 'name')
  if (name === undefined || NAME.test(name)) return name
  throw new SluiceError('BAD_FLAG', `${name} is not a valid name for a schedule`, {
    hint: 'use up to 63 letters, digits, dots, dashes and underscores',
  })
}

function limitOf(args: Arguments): number {
  return givenCount(args, 'limit', 1) ?? defaultNumber('schedule-add', 'limit')
}

function queueOf(args: Arguments, { defaults, env }: RequestContext): { readonly connect: string } {
  return { connect: chooseQueue(args, defaults, env) }
}

function reported({ env }: RequestContext): { readonly printed: { readonly env: RequestContext['env'] } } {
  return { printed: { env } }
}

export const commands = { schedule }
