/** The config file of a command line, read only if this user trusts it. */
import process from 'node:process'
import { SluiceError } from '../../shared/errors.ts'
import { hasFlag, searchConfig, type FoundConfig } from './config-search.ts'
import { firstWord, requestedHelp } from '../parse/globals.ts'
import { chooseMode } from '../output/mode.ts'
import type { CliContext } from '../ports.ts'

/** A usage error, with a hint that names config files that were not read: they may have the missing setting. */
export function withSkippedFiles(error: SluiceError, { passedOver }: FoundConfig): SluiceError {
  if (passedOver.length === 0 || error.kind !== 'usage') return error
  const hint = [...(error.hint === undefined ? [] : [error.hint]), ...passedOver].join('; ')
  return new SluiceError(error.code, error.message, { ...error.info(), hint, cause: error })
}

export function foundConfig(argv: readonly string[], { env, searchFrom }: CliContext): FoundConfig {
  if (searchFrom === undefined) return { file: null, passedOver: [], untrusted: null }
  return searchConfig(argv, searchFrom, env, process.getuid?.() ?? null)
}

/**
 * Commands that need only operands: they continue without an untrusted config file, and report that it was not read.
 */
const WITHOUT_TRUST: ReadonlySet<string> = new Set(['discover'])

/**
 * The found config. An untrusted file is used only if the user trusts it when asked in a terminal.
 * @throws SluiceError BAD_CONFIG if the file is not trusted, and the command might mean something else without it
 */
export async function trustedConfig(
  argv: readonly string[],
  config: FoundConfig,
  context: CliContext,
): Promise<FoundConfig> {
  const { untrusted, passedOver } = config
  if (untrusted === null) return config
  const { askTrust, notTrusted } = await import('./run-trust.ts')
  const isHelp = requestedHelp(argv) !== null || hasFlag(argv, '--version')
  if (!isHelp && canAsk(argv, context) && (await askTrust(untrusted, context))) return foundConfig(argv, context)
  const refusal = notTrusted(untrusted, context.env)
  if (!isHelp && !WITHOUT_TRUST.has(firstWord(argv) ?? '')) throw refusal
  return {
    ...config,
    passedOver: [...passedOver, `${untrusted} is not read: it is not trusted; ${refusal.hint ?? ''}`],
  }
}

/** True if the user can be asked. `--yes` does not answer this question. */
function canAsk(argv: readonly string[], { env, stdinTTY, stdoutTTY }: CliContext): boolean {
  const has = (flag: string): boolean => hasFlag(argv, flag)
  const input = !has('--no-input') && !has('--yes') && !has('-y')
  const options = { ci: has('--ci'), json: has('--json'), quiet: has('--quiet') || has('-q'), input, tui: false }
  return chooseMode({ stdinTTY, stdoutTTY, env, ...options }) === 'tui'
}
