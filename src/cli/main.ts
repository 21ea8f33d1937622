/** Main flow after the environment is set up: parse, choose the frontend, run, end. */
import { EventEmitter } from 'node:events'
import { existsSync } from 'node:fs'
import process from 'node:process'
import { asSluiceError, SluiceError } from '../shared/errors.ts'
import type { Request, CommandTexts } from './commands/command.ts'
import { exclusive, given } from './parse/arguments.ts'
import { commandLine } from './parse/command-line.ts'
import { hasFlag, withConfig, type FoundConfig } from './config/config-search.ts'
import { confirmed } from './confirm/confirmed.ts'
import { type Globals, configFlag, firstWord } from './parse/globals.ts'
import { toolVersion } from './version.ts'
import { chooseMode, type FrontendMode } from './output/mode.ts'
import { isWatched } from '../app/live/watched.ts'
import type { Event } from '../model/run/event.ts'
import { listingOf, showRun } from './open.ts'
import { parseCommandLine, type Parsed } from './parse/parse.ts'
import type { CliContext } from './ports.ts'
import { holdsPassword, PASSWORD_NOTE } from './parse/shown-words.ts'
import { openCliSession, secretsOf, type CliSession } from './session.ts'
import { isTrusted, trustFile } from './config/trust.ts'
import { NO_TELEMETRY, openTelemetry, refuseMetrics, reportBeforeScreen } from './output/telemetry.ts'
import { declarationOf, isPlanOnly, rowFormatOf, storeOf, urlsOf } from '../app/operations/facts.ts'
import type { Operation } from '../app/operations/list.ts'
import { withSkippedFiles, foundConfig, trustedConfig } from './config/trusted-config.ts'
import { openedUrls, transcriptOptions, uiOptionsOf, openScreen } from './open-screen.ts'

/** Reports an error that occurred before the session was opened. */
async function refuseEarly(argv: readonly string[], error: SluiceError, context: CliContext): Promise<number> {
  const session = await openCliSession(context, {
    // The flags could not be parsed, but the error must still be JSON with --json.
    json: hasFlag(argv, '--json'),
    quiet: false,
    verbose: false,
    secrets: secretsOf(argv, context.env),
    tool: toolVersion(),
  })
  const exitCode = session.refuse(firstWord(argv) ?? 'sluice', error)
  await session.close()
  return exitCode
}

/** Runs a command line. Resolves with the exit code once all output is written; never rejects. */
export async function main(typed: readonly string[], context: CliContext): Promise<number> {
  let config = foundConfig(typed, context)
  let argv = withConfig(typed, config.file)
  let parsed: Parsed
  let mode: FrontendMode
  let session: CliSession
  try {
    config = await trustedConfig(typed, config, context)
    argv = withConfig(typed, config.file)
    parsed = await parseCommandLine(argv, context.env)
    if (parsed.request.kind === 'help') return await printHelp(parsed.request.text, context)
    const { globals } = parsed
    mode = chooseMode({ ...context, ...globals })
    if (parsed.request.kind === 'open' && mode === 'tui')
      return await openScreen(argv, parsed.request, globals, context)
    const signals = await signalsOf(parsed, context)
    session = await openCliSession({ ...context, signals }, sessionOptions(argv, parsed, mode, context))
  } catch (error) {
    return await refuseEarly(argv, withSkippedFiles(asSluiceError(error), config), context)
  }
  let exitCode: number
  try {
    exitCode = await perform(
      argv,
      withNotes(parsed, config, isPasswordReported(argv, mode, context)),
      mode,
      session,
      context,
    )
  } catch (error) {
    exitCode = session.refuse(commandOf(parsed), asSluiceError(error))
  }
  await session.close()
  const failure = session.output.failure()
  return exitCode === 0 && failure !== null ? failure.exitCode : exitCode
}

/** Signals that end the session. */
async function signalsOf({ request, globals }: Parsed, { signals }: CliContext): Promise<NodeJS.EventEmitter> {
  // `attach` handles the signals itself: they end the display, not the run.
  if (request.kind === 'attach') return new EventEmitter()
  if (!globals.background) return signals
  const { signalsOfStart } = await import('./runs/background.ts')
  return signalsOfStart(signals)
}

/**
 * True if a visible password needs a warning. False in a background process, because its parent checks the same command
 * line. False for JSON, because a program wrote the command line.
 */
function isPasswordReported(argv: readonly string[], mode: FrontendMode, { background }: CliContext): boolean {
  return mode !== 'json' && background === undefined && holdsPassword(argv)
}

/** Adds notes: the config file used (for runs, or with --verbose), files not read, and a visible password. */
function withNotes({ request, globals }: Parsed, { file, passedOver }: FoundConfig, hasPassword: boolean): Parsed {
  if (request.kind !== 'operation') return { request, globals }
  const { display } = declarationOf(request.operation.kind)
  const isReported = file !== null && (globals.verbose || display === 'long' || display === 'lines')
  const notes = [...(isReported ? [`config  ${file}`] : []), ...passedOver, ...(hasPassword ? [PASSWORD_NOTE] : [])]
  if (notes.length === 0) return { request, globals }
  const { reported = { printed: {} } } = request
  return { request: { ...request, reported: { ...reported, notes: [...notes, ...(reported.notes ?? [])] } }, globals }
}

function sessionOptions(
  argv: readonly string[],
  parsed: Parsed,
  mode: FrontendMode,
  context: CliContext,
): Parameters<typeof openCliSession>[1] {
  const { quiet, verbose, logFile, maxRuntimeMs } = parsed.globals
  const operation = parsed.request.kind === 'operation' ? parsed.request.operation : null
  const rowFormat = operation === null ? 'table' : rowFormatOf(operation)
  const dryRun = operation !== null && isPlanOnly(operation)
  const secrets = secretsOfParsed(argv, parsed, context)
  const reported = parsed.request.kind === 'operation' ? parsed.request.reported : undefined
  return {
    json: mode === 'json',
    quiet,
    verbose,
    logFile,
    migratorLog: dryRun ? undefined : reported?.log,
    maxRuntimeMs,
    secrets,
    tool: toolVersion(),
    rowFormat,
    dryRun,
    readCommand: async (words) => await keptCommand(withConfig(words, configFlag(argv)), context),
  }
}

/** @throws SluiceError BAD_FLAG, BAD_CONFIG */
async function keptCommand(words: readonly string[], { env }: CliContext): Promise<Operation> {
  const { request } = await parseCommandLine(words, env)
  if (request.kind === 'operation') return request.operation
  throw new SluiceError(
    'BAD_FLAG',
    `the command ${words.slice(0, 2).join(' ')} starts no run, so it cannot be scheduled`,
  )
}

/** Passwords of all URLs of the command: on its line, in variables, and in the config file. */
function secretsOfParsed(
  argv: readonly string[],
  { request, globals: { catalog, distributed, connect } }: Parsed,
  { env }: CliContext,
): readonly string[] {
  const urls =
    request.kind === 'operation' ? urlsOf(request.operation) : request.kind === 'open' ? openedUrls(request) : []
  const queue = distributed === null ? [] : [distributed.connect, ...distributed.stores.map(({ url }) => url)]
  return secretsOf(argv, env, [
    ...(catalog === null ? [] : [catalog.url]),
    ...urls,
    ...queue,
    ...(connect === null ? [] : [connect.url]),
  ])
}

function commandOf({ request }: Parsed): string {
  return request.kind === 'operation' ? request.operation.kind : request.kind
}

async function perform(
  argv: readonly string[],
  parsed: Parsed,
  mode: FrontendMode,
  session: CliSession,
  context: CliContext,
): Promise<number> {
  const { request, globals } = parsed
  const { env } = context
  const secrets = secretsOfParsed(argv, parsed, context)
  if (request.kind === 'help') return 0
  refuseMetrics(globals, request, mode)
  if (globals.background) {
    const { refuseBackground } = await import('./runs/background.ts')
    refuseBackground(request.kind === 'operation' ? request.operation : null, globals.tui)
  }
  if (request.kind === 'open') {
    const { operation, words } = listingOf(request.target)
    return (await session.run(operation, commandLine(words, null, secrets, { env }))).exitCode
  }
  if (request.kind === 'demo') {
    const { runDemo } = await import('./demo.ts')
    const { lake, folder } = request
    const again = commandLine(argv, null, secrets, { env })
    const outcome = await runDemo(session, {
      lake,
      folder,
      cwd: process.cwd(),
      tool: toolVersion(),
      commandLine: again,
    })
    if (mode !== 'tui' || session.interrupter.stop.aborted) return outcome.exitCode
    await session.close()
    const catalog = { url: outcome.catalog, from: 'flag' } as const
    await openScreen(argv, { target: outcome.lake }, { ...globals, catalog }, context, false)
    return outcome.exitCode
  }
  if (request.kind === 'init') {
    const { runInit } = await import('./init/run-init.ts')
    const around = {
      cwd: process.cwd(),
      tool: toolVersion(),
      asks: mode === 'tui' && !globals.yes,
      json: mode === 'json',
    }
    return await runInit(session, request, around, context)
  }
  if (request.kind === 'trust') {
    const { runTrust } = await import('./config/run-trust.ts')
    return runTrust(session, request, context)
  }
  if (request.kind === 'attach') return await attach(request, mode, globals, session, context)
  if (request.kind === 'runs-here') {
    const { listRunsHere } = await import('./runs/runs-here.ts')
    return await listRunsHere(session, request.limit, env)
  }
  if (request.kind === 'ctl') {
    if (globals.distributed === null) {
      const { runCtl } = await import('./runs/run-ctl.ts')
      return await runCtl(request.run, request.request, session, context)
    }
    const { ctlDistributed, queueFlagsOf } = await import('./runs/distributed.ts')
    const { connect } = globals.distributed
    const behind = queueFlagsOf(argv, secrets, env)
    return await ctlDistributed(request.run, request.request, connect, session, context, behind)
  }
  let { operation } = request
  const { reported } = request
  const { background } = context
  const catalog = storeOf(operation, 'catalog') === undefined ? null : globals.catalog
  const line = commandLine(argv, catalog, secrets, { env, ...reported?.printed })
  const confirmation = background ?? (await confirmed(operation, line, mode === 'tui', session, context))
  if ('exitCode' in confirmation) return confirmation.exitCode
  operation = confirmation.operation
  // For commands that list runs, --distributed selects the runs to list.
  if (globals.distributed !== null && operation.kind !== 'shared-runs') {
    const { queueFlagsOf, refuseWithWorkers, runDistributed } = await import('./runs/distributed.ts')
    refuseWithWorkers(globals, reported)
    const around = { json: mode === 'json', behind: queueFlagsOf(argv, secrets, env) }
    return await runDistributed(operation, line, globals.distributed, around, session, context)
  }
  if (globals.background) {
    const { runInBackground, wordsOfChild } = await import('./runs/background.ts')
    return await runInBackground({ words: wordsOfChild(argv), operation }, line, mode === 'json', session, context)
  }
  await using telemetry = isWatched(operation)
    ? await openTelemetry(globals.metrics, secrets, mode === 'tui', context)
    : NO_TELEMETRY
  const { live, warnings, next } = reported ?? {}
  // Note the folder, because the log of a background run may be read from any folder.
  const from = background === undefined ? [] : [`folder  ${process.cwd()}`]
  const said = [...from, ...(reported?.notes ?? []), ...((await live?.()) ?? []), ...telemetry.notes]
  const notes = said.length === 0 ? undefined : said
  const more = { ...given('notes', notes), ...given('warnings', warnings), ...given('next', next) }
  if (mode === 'tui' && isLong(operation) && !hasHours(reported, globals) && !isLogged(reported, globals)) {
    await session.close()
    reportBeforeScreen(telemetry, context)
    const run = { operation, commandLine: line, leaveWhenDone: globals.quit }
    const face = {
      ...(await uiOptionsOf(globals, context)),
      transcript: { ...transcriptOptions(globals, secrets), ...more },
    }
    if (operation.kind !== 'copy' || operation.deleteExtra !== true)
      return await showRun(run, face, context, telemetry.listen)
    const { confirmRemoval } = await import('./confirm/copy-confirm.ts')
    return await confirmRemoval(operation, run, face, session, context, telemetry.listen)
  }
  const hours = isPlanOnly(operation) ? undefined : reported?.hours
  const listen = (event: Event): void => {
    background?.listen(event)
    telemetry.listen(event)
  }
  const { slots } = telemetry
  const written = operation.kind === 'lifecycle-init' ? operation.write : null
  // A file that was trusted, or did not exist, is trusted after this command has written it.
  const keepsTrust = written !== null && (!existsSync(written) || isTrusted(written, env))
  const { exitCode } = await session.run(operation, line, { ...more, hours, listen, slots })
  if (keepsTrust && exitCode === 0) trustFile(written, env)
  return exitCode
}

/** True if the UI shows the operation: long operations, except plans, which are printed. */
function isLong(operation: Operation): boolean {
  return declarationOf(operation.kind).display === 'long' && !isPlanOnly(operation)
}

/** True if --between limits the hours of the run; then it has no UI. @throws SluiceError BAD_FLAG with --tui */
function hasHours(reported: CommandTexts | undefined, { tui }: Globals): boolean {
  if (reported?.hours === undefined) return false
  if (!tui) return true
  throw exclusive('--tui', '--between')
}

/** True if the run writes a migrator's log; then it runs without the UI. @throws SluiceError BAD_FLAG with --tui */
function isLogged(reported: CommandTexts | undefined, { tui }: Globals): boolean {
  if (reported?.log === undefined) return false
  if (!tui) return true
  throw new SluiceError('BAD_FLAG', `--tui cannot be used with a command that writes ${reported.log}`, {
    hint: 'remove --tui',
  })
}

async function attach(
  { run }: Extract<Request, { kind: 'attach' }>,
  mode: FrontendMode,
  globals: Globals,
  session: CliSession,
  context: CliContext,
): Promise<number> {
  const [{ continuesText, joinRequestedRun, watchRun }, { controlSocketPath }] = await Promise.all([
    import('./runs/run-attach.ts'),
    import('../engine/copy/workers/control-socket.ts'),
  ])
  const { env } = context
  const socketPath = (runId: string): string => controlSocketPath(runId, env)
  const joined = await joinRequestedRun({ run, env, socketPath })
  const { runId } = joined.about
  if (mode !== 'tui') return await watchRun(session, joined, context)
  await session.close()
  const { showJoined } = await import('./open.ts')
  const face = { ...(await uiOptionsOf(globals, context)), transcript: transcriptOptions(globals, []) }
  const ended = await showJoined(joined, globals.quit, face, context)
  if (ended.isStillRunning) context.stderr.write(`sluice: ${continuesText(runId, context.program)}\n`)
  return ended.exitCode
}

async function printHelp(text: string, context: CliContext): Promise<number> {
  const { openOutput } = await import('./output/output.ts')
  const output = openOutput(context.stdout, context.stderr)
  output.data(text)
  await output.flushed()
  return 0
}
