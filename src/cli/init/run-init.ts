/** `sluice init`: prints the new config file, asks in a terminal, and never overwrites a file. */
import { existsSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { SluiceError } from '../../shared/errors.ts'
import { ask } from '../confirm/confirm.ts'
import type { CliContext } from '../ports.ts'
import type { CliSession } from '../session.ts'
import { trustFile } from '../config/trust.ts'
import { findPlaces, type GivenPlaces, type FoundPlaces, type NamedPlace } from './found.ts'
import { stringify } from 'yaml'
import { shellQuote } from '../../shared/shell.ts'

export type InitRequest = GivenPlaces & { readonly write: string; readonly dryRun: boolean }

/** Context of the command. */
type InitContext = {
  readonly cwd: string
  readonly tool: string
  /** True: ask the user before the file is written. */
  readonly asks: boolean
  readonly json: boolean
}

/** @returns the exit code @throws SluiceError BAD_CONFIG if the file exists, TARGET_DENIED if it cannot be written */
export async function runInit(
  session: CliSession,
  { write, dryRun, ...asked }: InitRequest,
  { cwd, tool, asks, json }: InitContext,
  context: CliContext,
): Promise<number> {
  const file = path.resolve(cwd, write)
  if (existsSync(file) && !dryRun) throw existsError(file)
  const found = findPlaces(asked, cwd, context.env)
  const text = configText(found)
  session.emit({ type: 'run.started', command: 'init', tool, target: file })
  const note = (message: string, level: 'note' | 'warn' = 'note'): void => session.emit({ type: 'log', level, message })
  for (const { name, written, description, unset } of found.places)
    note(`${name}  ${written}: ${description}`, unset ? 'warn' : 'note')
  if (found.places.length === 0)
    note('this folder has no lake, and no variable names a database: the file has only examples')
  if (dryRun || asks) {
    if (json) note(text)
    else session.output.data(text)
  }
  const isWanted =
    !dryRun && (!asks || /^y(?:es)?$/i.test((await ask(`Write ${file}? [y/N] `, session, context)).trim()))
  if (isWanted) {
    writeNew(file, text)
    trustFile(file, context.env)
  }
  const [first] = found.places
  const next = first === undefined ? undefined : inspectCommand(first)
  session.emit({
    type: 'run.finished',
    status: 'ok',
    exitCode: 0,
    totals: { stores: String(found.places.length) },
    ms: 0,
    ...(isWanted ? { wrote: [file] } : { notChecked: 'nothing was written' }),
    ...(isWanted && next !== undefined ? { resumeCommand: next } : {}),
  })
  return 0
}

function writeNew(file: string, text: string): void {
  try {
    // Fails if another program has created it meanwhile.
    writeFileSync(file, text, { flag: 'wx', mode: 0o644 })
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'EEXIST') throw existsError(file)
    throw new SluiceError('TARGET_DENIED', 'the config file cannot be written', {
      where: file,
      reason: message,
      hint: 'name another one with --write',
      cause,
    })
  }
}

function existsError(file: string): SluiceError {
  return new SluiceError('BAD_CONFIG', 'a config file already exists, and is never overwritten', {
    where: file,
    hint: 'add --dry-run to see the content of a new one, or name another file with --write',
  })
}

// The text of a new sluice.yaml.

const HEAD = `# Defaults of sluice in this folder and those below it. \`sluice --help\` shows where sluice searches for it; --no-config ignores it.
# Paths are absolute, because the file applies to all folders below. Do not write passwords here: $NAME is replaced by the variable.
`
const FLAGS = `
# Each flag can be set here by its name, as a default:
# parallel: 4
# max-runtime: 2h
# metrics: 9464
# log-file: /var/log/sluice.jsonl
`
const NO_PLACES = `
# Short names for databases, lakes and archives: \`sluice discover app\`, \`sluice copy --from app --to lake\`.
# stores:
#   app: $DATABASE_URL
#   archive: s3://bucket/archive
`

/** The command that lists the content of a place. A lake has its tables in subfolders, so it is listed recursively. */
function inspectCommand({ name }: NamedPlace): string {
  return `sluice discover ${shellQuote(name)}${name === 'lake' ? ' --recursive' : ''}`
}

/** Commented YAML in the format of the config file. */
export function configText({ places, defaults }: FoundPlaces): string {
  const stores = places.map(
    ({ name, written, description }) => `  # ${description}\n  ${stringify({ [name]: written }, { lineWidth: 0 })}`,
  )
  const [first] = places
  const named =
    first === undefined
      ? NO_PLACES
      : `\n# Short names: \`${inspectCommand(first)}\` lists the content of the first one.\nstores:\n${stores.join('')}`
  const said = Object.entries(defaults).map(([flag, name]) => `${flag}: ${name}\n`)
  const chosen = said.length === 0 ? '' : `\n# Defaults, if the command line does not set them:\n${said.join('')}`
  return HEAD + named + chosen + FLAGS
}
