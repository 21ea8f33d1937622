/** Reads the arguments of a command: by the declaration of its operation, or by a hand-written reader. */
import { actionsOf, declaringOperation, type AnyDeclaration, type CommandAction } from '../../app/operations/facts.ts'
import type { CommandDeclaration } from '../../engine/run/operations/option.ts'
import { actionOf } from './actions.ts'
import type { Arguments } from './arguments.ts'
import type { CommandFileExports, Request, RequestContext } from '../commands/command.ts'
import { withLifecycle } from '../config/lifecycle-defaults.ts'
import { OWN_COMMANDS } from './own-commands.ts'
import { buildRequest } from './words.ts'

/** Commands with a hand-written reader: exclusive flags, several operations, or settings of other tools. */
export const READERS: Readonly<Record<string, () => Promise<CommandFileExports>>> = {
  discover: () => import('../commands/discover.ts'),
  prune: () => import('../commands/prune.ts'),
  changes: () => import('../commands/changes.ts'),
  runs: () => import('../commands/runs.ts'),
  doctor: () => import('../commands/doctor.ts'),
  copy: () => import('../commands/copy.ts'),
  follow: () => import('../commands/follow.ts'),
  diff: () => import('../commands/diff.ts'),
  quarantine: () => import('../commands/quarantine.ts'),
  'retry-quarantine': () => import('../commands/quarantine.ts'),
  archive: () => import('../commands/archive.ts'),
  lifecycle: () => import('../commands/lifecycle.ts'),
  schedule: () => import('../commands/schedule.ts'),
  worker: () => import('../commands/worker.ts'),
  workers: () => import('../commands/worker.ts'),
  grants: () => import('../commands/grants.ts'),
  ctl: () => import('../commands/ctl.ts'),
  attach: () => import('../commands/attach.ts'),
  demo: () => import('../commands/demo.ts'),
  init: () => import('../commands/init.ts'),
  trust: () => import('../commands/trust.ts'),
  man: () => import('../commands/man.ts'),
  completion: () => import('../commands/completion.ts'),
}

/** @throws SluiceError BAD_FLAG, BAD_CONFIG */
export async function requestOfWords(
  command: CommandDeclaration,
  args: Arguments,
  context: RequestContext,
): Promise<Request> {
  if (OWN_COMMANDS.includes(command)) return await readWithReader(command, args, context)
  const actions = actionsOf(command.name)
  if (actions.length === 0) return await read(command, declaringOperation(command.name), args, context)
  const action = actionOf(command, actions, args, context.defaults)
  const { storeFlags, ...said } = withLifecycle(command.name, action, { args, defaults: context.defaults }, context.env)
  const request = await read(command, action, said.args, { ...context, defaults: said.defaults })
  if (request.kind !== 'operation' || storeFlags.length === 0) return request
  const { reported = { printed: {} } } = request
  return {
    ...request,
    reported: { ...reported, printed: { ...reported.printed, add: [...storeFlags, ...(reported.printed.add ?? [])] } },
  }
}

async function read(
  command: CommandDeclaration,
  { kind, words }: Pick<AnyDeclaration | CommandAction, 'kind' | 'words'>,
  args: Arguments,
  context: RequestContext,
): Promise<Request> {
  return words === undefined || words === null
    ? await readWithReader(command, args, context)
    : buildRequest(kind, words, { command, args, context })
}

async function readWithReader(
  { name }: CommandDeclaration,
  args: Arguments,
  context: RequestContext,
): Promise<Request> {
  const command = (await READERS[name]?.())?.commands[name]
  if (command === undefined) throw new Error(`no parser for ${name}`)
  return await command.request(args, context)
}
