/** How hints call this program: `sluice` is right only if a shell finds the program by that name. */
import { existsSync, realpathSync } from 'node:fs'
import path from 'node:path'
import { COMMANDS } from '../parse/command-list.ts'

type ProgramContext = {
  readonly env: Readonly<Record<string, string | undefined>>
  /** `bin.js` of this program, not the script that Node runs: `npm start` and user scripts import the same code. */
  readonly script: string
  readonly cwd: string
}

/** Without `--no`, npx would download a package of that name if none is installed. */
const NPX_CALL = 'npx --no sluice'

/**
 * The call of the program in shell syntax: `sluice`, `npm start --`, `npx --no sluice`, `node .`, `node PATH/bin.js`.
 */
export function programWords({ env, script, cwd }: ProgramContext): string {
  const reported = env['SLUICE_PROGRAM']?.trim() ?? ''
  if (reported !== '') return reported
  if (env['npm_lifecycle_event'] === 'start') return 'npm start --'
  if (env['npm_command'] === 'exec') return NPX_CALL
  const program = real(script) ?? script
  const folders = (env['PATH'] ?? '').split(path.delimiter).filter((folder) => path.isAbsolute(folder))
  const found = folders.filter((folder) => real(path.join(folder, 'sluice')) === program)
  // `npm run` adds its package folders to PATH; the user's shell does not have them.
  const isOfNpm = (folder: string): boolean =>
    env['npm_lifecycle_event'] !== undefined && folder.endsWith(path.join('node_modules', '.bin'))
  if (found.some((folder) => !isOfNpm(folder))) return 'sluice'
  if (found.length > 0) return NPX_CALL
  const near = path.relative(cwd, program)
  // In a clone, the `index.js` of the package starts the program, too.
  if (near === path.join('dist', 'cli', 'bin.js') && existsSync(path.join(cwd, 'index.js'))) return 'node .'
  return `node ${near.startsWith('..') ? program : near}`
}

/** Replaces `sluice` in `text` by the actual call, wherever a command, flag or path follows. */
export function withProgram(text: string, program = 'sluice'): string {
  return program === 'sluice' ? text : text.replaceAll(NAME_IN_COMMAND, (_called, before: string) => before + program)
}

const NAMES = COMMANDS.map(({ name }) => name).join('|')
const NAME_IN_COMMAND = new RegExp(
  `(^|[\\s\`(])sluice(?= (?:(?:${NAMES})(?![\\w-])|--[a-z]|\\.{0,2}/|PATH\\b|COMMAND\\b))`,
  'gm',
)

function real(file: string): string | null {
  try {
    return realpathSync(file)
  } catch {
    return null
  }
}
