/** `sluice trust`, and the question before a found config file is read for the first time. */
import { realpathSync } from 'node:fs'
import path from 'node:path'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import { visible } from '../../shared/visible.ts'
import { unsafeReason } from './config-search.ts'
import { toolVersion } from '../version.ts'
import { DEFAULT_CONFIG } from './lifecycle-defaults.ts'
import type { CliContext } from '../ports.ts'
import { readLine } from '../confirm/prompt.ts'
import type { CliSession } from '../session.ts'
import { contentHash, hasChanged, trustedFiles, trustFile, withdrawTrust, type TrustRequest } from './trust.ts'

/**
 * @returns the exit code @throws SluiceError BAD_CONFIG if there is no file of this user, TARGET_DENIED if trust cannot
 * be stored
 */
export function runTrust(session: CliSession, { folder, action }: TrustRequest, { env }: CliContext): number {
  const file = path.resolve(folder, DEFAULT_CONFIG)
  const target = action === 'list' ? {} : { target: file }
  session.emit({ type: 'run.started', command: 'trust', tool: toolVersion(), ...target })
  const files = action === 'list' ? trustedFiles(env) : changed(file, action, env)
  const note = (message: string): void => session.emit({ type: 'log', level: 'note', message })
  for (const one of files) note(`${one} is ${action === 'remove' ? 'no longer ' : ''}trusted`)
  if (files.length === 0) note(action === 'list' ? 'no file is trusted' : `${file} was not trusted`)
  const totals = { files: String(files.length) }
  session.emit({ type: 'run.finished', status: 'ok', exitCode: 0, totals, ms: 0 })
  return 0
}

function changed(file: string, action: 'trust' | 'remove', env: CliContext['env']): readonly string[] {
  if (action === 'remove') return withdrawTrust(file, env) ? [file] : []
  const why = unsafeReason(file, process.getuid?.() ?? null)
  if (why !== null) {
    const reason = why === 'missing' ? 'there is no regular file at this path' : why
    const hint = why === 'missing' ? 'name its folder' : `name it with --config ${shellQuote(file)}`
    throw new SluiceError('BAD_CONFIG', 'the config file cannot be trusted', { where: file, reason, hint })
  }
  trustFile(file, env)
  return [realpathSync(file)]
}

/** Asks in a terminal whether to trust the file, and stores the trust. @returns true if the file is trusted */
export async function askTrust(file: string, { env, stdin, stderr }: CliContext): Promise<boolean> {
  const hash = contentHash(file)
  const since = hasChanged(file, env) ? ' It has changed since it was trusted.' : ''
  const question = `${visible(file)} can name databases, files that are written and commands that are run.${since} Trust its present content? [y/N] `
  // ctrl-c and ctrl-d mean no.
  const answer = (await readLine(question, { stdin, stderr })) ?? ''
  if (!/^y(?:es)?$/i.test(answer.trim())) return false
  trustFile(file, env, hash)
  return true
}

/** Error of a command that needs an untrusted config file. */
export function notTrusted(file: string, env: CliContext['env']): SluiceError {
  const folder = shellQuote(path.dirname(file))
  return new SluiceError('BAD_CONFIG', 'the config file of this folder is not trusted, and was not read', {
    where: file,
    ...(hasChanged(file, env) ? { reason: 'it has changed since it was trusted' } : {}),
    hint: `read it, then run sluice trust ${folder}; or ignore it with --no-config`,
  })
}
