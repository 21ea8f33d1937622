/** Checks the requirements of sluice on this machine: Node, native modules, terminal, space for temporary files. */
import { mkdtemp, rm, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { asSluiceError } from '../../shared/errors.ts'
import { SYSTEMS } from '../../stores/systems.ts'
import { fail, ok, warn, type Verdict } from '../../model/run/verdict.ts'
import { sizeText } from '../../shared/figures.ts'
import type { Examination } from './examination.ts'

const AREA = 'program'
/** Smallest terminal for the terminal UI; a smaller one gets a warning. */
const LEAST_COLUMNS = 80
const LEAST_ROWS = 24
const LITTLE_SPACE = 1e9
const NO_SPACE = 100e6

export type TerminalFacts = {
  readonly isTTY: boolean
  readonly columns: number | undefined
  readonly rows: number | undefined
  readonly env: Readonly<Record<string, string | undefined>>
}

export async function inspectProgram(examination: Examination, terminal: TerminalFacts = ownTerminal()): Promise<void> {
  const check = (name: string, body: () => Promise<Verdict | null>): Promise<unknown> =>
    examination.check(AREA, name, body)
  await check('node', async () => ok(`${process.version} on ${process.platform} ${process.arch}`))
  for (const { name, native } of SYSTEMS.toReversed()) {
    if (native !== undefined) await check(name, () => loaded(native.version, native.module))
  }
  await check('terminal', async () => terminalVerdict(terminal))
  await check('locale', async () => localeVerdict(terminal))
  await check('temporary files', temporaryVerdict)
}

function ownTerminal(): TerminalFacts {
  const { isTTY, columns, rows } = process.stdout
  return { isTTY, columns, rows, env: process.env }
}

async function loaded(version: () => Promise<string>, module: string): Promise<Verdict> {
  try {
    return ok(await version())
  } catch (error) {
    const hint = `install sluice again on this machine, so that ${module} fits its system and Node`
    return fail(`${module} does not load`, { cause: asSluiceError(error).message, hint })
  }
}

/** Verdict on the terminal; `ok` with the text `none` if the output is not a terminal. */
export function terminalVerdict({ isTTY, columns = 0, rows = 0, env }: TerminalFacts): Verdict | null {
  if (!isTTY) return ok('none: plain text, without the terminal UI')
  const colors = env['FORCE_COLOR'] === '0' ? 'no colours' : 'colours'
  const found = `${columns} x ${rows}, ${env['TERM'] ?? 'TERM is not set'}, ${colors}`
  if (env['TERM'] === 'dumb')
    return warn(found, { hint: 'set TERM to the type of the terminal, such as xterm-256color' })
  if (columns >= LEAST_COLUMNS && rows >= LEAST_ROWS) return ok(found)
  return warn(found, { hint: `make it ${LEAST_COLUMNS} x ${LEAST_ROWS} or larger for the terminal UI` })
}

export function localeVerdict({ isTTY, env }: TerminalFacts): Verdict {
  const name = ['LC_ALL', 'LC_CTYPE', 'LANG'].find((variable) => (env[variable] ?? '') !== '')
  const value = name === undefined ? '' : (env[name] ?? '')
  if (/utf-?8/i.test(value)) return ok(`${name}=${value}`)
  const found = name === undefined ? 'no LANG is set' : `${name}=${value}`
  if (!isTTY) return ok(found)
  return warn(found, {
    cause: 'the terminal may not show characters outside of ASCII',
    hint: 'set LANG=C.UTF-8, or run sluice with --ascii',
  })
}

async function temporaryVerdict(): Promise<Verdict> {
  const folder = tmpdir()
  try {
    const own = await mkdtemp(join(folder, 'sluice-doctor-'))
    try {
      await writeFile(join(own, 'written'), 'x')
    } finally {
      await rm(own, { recursive: true, force: true })
    }
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error)
    return fail(`${folder} cannot be written`, { cause, hint: 'set TMPDIR to a folder that this user may write' })
  }
  const free = await freeSpace(folder)
  return spaceVerdict(`${folder}, ${sizeText(free)} free`, free, 'free some, or set TMPDIR to a larger file system')
}

/** Bytes that this user may still write to the file system of the folder. */
export async function freeSpace(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

export function spaceVerdict(found: string, free: number, hint: string): Verdict {
  if (free < NO_SPACE) return fail(found, { cause: 'the disk is almost full', hint })
  return free < LITTLE_SPACE ? warn(found, { cause: 'little space is left', hint }) : ok(found)
}
