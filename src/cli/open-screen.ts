/** Opens the terminal UI. */
import { SluiceError } from '../shared/errors.ts'
import type { Request } from './commands/command.ts'
import { given } from './parse/arguments.ts'
import { type Globals, configFlag } from './parse/globals.ts'
import { toolVersion } from './version.ts'
import { isCatalogUrl } from '../engine/run/systems.ts'
import { openUi, type OpenOptions } from './open.ts'
import type { CliContext } from './ports.ts'
import { actorName, deadlineOf, secretsOf } from './session.ts'
import { openTelemetry, reportBeforeScreen } from './output/telemetry.ts'
import type { TranscriptOptions } from './output/transcript.ts'

/** Options of the lines that stay in the terminal's scrollback. */
export function transcriptOptions({ quiet, verbose, logFile }: Globals, secrets: readonly string[]): TranscriptOptions {
  return { quiet, verbose, logFile, secrets }
}

/** Options of the UI that come from the environment and the global flags. */
export async function uiOptionsOf(
  { ascii, maxRuntimeMs, connect }: Globals,
  { env }: CliContext,
): Promise<Pick<OpenOptions, 'ascii' | 'tool' | 'actor' | 'host' | 'deadline' | 'queue'>> {
  const { hostname } = await import('node:os')
  const who = { ascii, tool: toolVersion(), actor: actorName(env), host: hostname() }
  return { ...who, ...given('deadline', deadlineOf(maxRuntimeMs)), ...given('queue', connect ?? undefined) }
}

export async function openScreen(
  argv: readonly string[],
  { target, database, lifecycle, stores = [] }: Omit<Extract<Request, { kind: 'open' }>, 'kind'>,
  globals: Globals,
  context: CliContext,
  remembers = true,
): Promise<number> {
  const { catalog, connect } = globals
  if (isCatalogUrl(target) && catalog?.from === 'flag') {
    throw new SluiceError('BAD_FLAG', 'two catalogs are given, one as an operand and one with --database-url', {
      hint: 'remove one of the two',
    })
  }
  const urls = [
    ...(catalog === null ? [] : [catalog.url]),
    ...openedUrls({ target, ...given('database', database) }),
    ...(lifecycle?.databases ?? []),
    ...stores.map(({ url }) => url),
    ...(connect === null ? [] : [connect.url]),
  ]
  const secrets = secretsOf(argv, context.env, urls)
  const options = {
    target,
    catalog,
    database: database ?? null,
    ...given('lifecycle', lifecycle),
    stores,
    ...given('config', configFlag(argv) ?? undefined),
    remembers,
    transcript: transcriptOptions(globals, secrets),
    ...(await uiOptionsOf(globals, context)),
  }
  await using telemetry = await openTelemetry(globals.metrics, secrets, true, context)
  reportBeforeScreen(telemetry, context)
  return await openUi(options, context, telemetry.listen)
}

/** URLs that the UI opens, for redaction. The URL of a store is not on the command line, which has only its name. */
export function openedUrls({
  target,
  database,
}: {
  readonly target: string
  readonly database?: string
}): readonly string[] {
  return database === undefined ? [target] : [target, database]
}
