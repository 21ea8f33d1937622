/** Chooses the frontend of a command. A pure function, tested by a table of cases. */
import { exclusive } from '../parse/arguments.ts'
import type { Globals } from '../parse/globals.ts'
import type { CliContext } from '../ports.ts'
import { SluiceError } from '../../shared/errors.ts'

export type FrontendMode = 'tui' | 'text' | 'json'

export type ModeInput = Pick<Globals, 'ci' | 'json' | 'quiet' | 'input' | 'tui'> &
  Pick<CliContext, 'stdinTTY' | 'stdoutTTY' | 'env'>

const OFF = new Set(['', '0', 'false', 'no', 'off'])

/** True if a variable like `CI` is switched on. */
export function isOn(value: string | undefined): boolean {
  return value !== undefined && !OFF.has(value.trim().toLowerCase())
}

/** True in the environment of a build server. */
export function inCi(env: ModeInput['env']): boolean {
  return isOn(env['CI']) || isOn(env['GITHUB_ACTIONS'])
}

/**
 * `--json` selects JSON lines. The UI needs terminals as stdin and stdout, and no flag such as `--quiet`.
 * Otherwise the output is text.
 * @throws SluiceError BAD_FLAG if `--tui` is given and not possible
 */
export function chooseMode(input: ModeInput): FrontendMode {
  if (input.tui) {
    refuseTui(input)
    return 'tui'
  }
  if (input.json) return 'json'
  if (input.ci || input.quiet || !input.input) return 'text'
  if (!input.stdinTTY || !input.stdoutTTY) return 'text'
  return input.env['TERM'] === 'dumb' || inCi(input.env) ? 'text' : 'tui'
}

function refuseTui({ json, ci, quiet, input, stdinTTY, stdoutTTY, env }: ModeInput): void {
  const flags = { '--json': json, '--ci': ci, '--quiet': quiet, '--no-input': !input }
  const against = Object.entries(flags).find(([, isGiven]) => isGiven)
  if (against !== undefined) throw exclusive('--tui', against[0])
  if (!stdinTTY || !stdoutTTY) {
    throw new SluiceError(
      'BAD_FLAG',
      `--tui needs a terminal, and ${stdinTTY ? 'stdout' : 'stdin'} is not a terminal`,
      { hint: 'run it in a terminal without pipes or redirections, or remove --tui to get text' },
    )
  }
  if (env['TERM'] === 'dumb') {
    throw new SluiceError('BAD_FLAG', '--tui needs a terminal that can move its cursor, and TERM is dumb', {
      hint: 'set TERM to the type of your terminal, such as xterm-256color, or remove --tui to get text',
    })
  }
}
