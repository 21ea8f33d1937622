/** Chooses the frontends that write the output of a run. */
import type { Event } from '../../model/run/event.ts'
import { redactText, redactValue } from '../../shared/redact.ts'
import type { Frontend } from './frontend.ts'
import { oneLine } from '../../shared/visible.ts'
import { isOn } from './mode.ts'
import type { Output } from './output.ts'
import type { CliContext } from '../ports.ts'
import type { TextOptions } from './render-text.ts'

/** Options of the frontends. */
export type FrontendOptions = Pick<TextOptions, 'quiet' | 'verbose' | 'rowFormat' | 'dryRun' | 'progress'> & {
  readonly logFile?: string | undefined
  /** Log file in the format of the parallel script: each entry has a time and a level. */
  readonly migratorLog?: string | undefined
  readonly secrets: readonly string[]
}

type ConsoleOptions = FrontendOptions & { readonly json: boolean }

/**
 * Opens the frontends of the console and of files.
 * @throws SluiceError BAD_FLAG if the log file cannot be opened
 */
export async function openFrontends(
  context: CliContext,
  output: Output,
  options: ConsoleOptions,
): Promise<readonly Frontend[]> {
  const make = await consoleFrontends(context, options)
  return [...make(output), ...(await fileFrontends(output, options))]
}

/**
 * Loads the frontend for text or for JSON, and in GitHub Actions also the one for the summary.
 * @returns a function that creates these frontends for an output; called once per run
 */
export async function consoleFrontends(
  { env, colorTalk, program, stdout, stdoutTTY }: CliContext,
  options: ConsoleOptions,
): Promise<(output: Output) => readonly Frontend[]> {
  const redact = (text: string): string => redactText(text, options.secrets)
  const github = isOn(env['GITHUB_ACTIONS'])
  const summaryFile = env['GITHUB_STEP_SUMMARY']
  const json = options.json ? await import('./render-json.ts') : null
  const text = options.json ? null : await import('./render-text.ts')
  const summary = github ? await import('./render-github.ts') : null
  const reported = {
    ...options,
    color: colorTalk,
    github,
    redact,
    ...(program === undefined ? {} : { program }),
    ...(stdoutTTY && stdout.columns > 0 ? { room: stdout.columns } : {}),
  }
  return (output) => [
    ...(json === null ? [] : [json.jsonFrontend(output, (event) => redactValue(event, options.secrets))]),
    ...(text === null ? [] : [text.textFrontend(output, reported)]),
    ...(summary === null ? [] : [summary.githubFrontend(output, { summaryFile, redact })]),
  ]
}

/**
 * Opens files written during the run: `--log-file`, and the log of a migrator.
 * @throws SluiceError BAD_FLAG
 */
export async function fileFrontends(output: Output, options: FrontendOptions): Promise<readonly Frontend[]> {
  const redactEvent = (event: Event): Event => redactValue(event, options.secrets)
  const complain = (message: string): void => output.talk(`sluice: ${redactText(oneLine(message), options.secrets)}\n`)
  const faces: Frontend[] = []
  if (options.logFile !== undefined)
    faces.push((await import('./log-file.ts')).logFileFrontend(options.logFile, redactEvent, complain))
  if (options.migratorLog !== undefined) {
    const { migratorLogFrontend } = await import('../settings/migrator-log.ts')
    faces.push(migratorLogFrontend(options.migratorLog, redactEvent, complain))
  }
  return faces
}
