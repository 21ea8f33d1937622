/** Help of the program, with its commands in groups, which yargs cannot print. A test compares it with the commands. */
import { GROUPS, PAGES, type CommandPage } from '../../engine/run/operations/pages.ts'
import { GLOBAL_OPTIONS, shownFlag } from '../../engine/run/operations/global-options.ts'
import { OWN_COMMANDS } from '../parse/own-commands.ts'

const COMMANDS: readonly CommandPage[] = [...Object.values(PAGES), ...OWN_COMMANDS]

/** Operands as the help shows them: `TABLE` for `<table>`, `[PATH]` for `[path]`, `[TABLE]` for `[table..]`. */
function operandText(operands: string): string {
  return operands.replaceAll(/[<>]|\.\./g, '').toUpperCase()
}

/** The page that `sluice --help` prints. */
export function topHelp(version: string): string {
  const lines = [
    `sluice ${version} - Delta logs into SQL catalogs, tables between databases: proved`,
    '',
    'Usage: sluice [PATH|URL]                 open the terminal UI on a lake',
    '       sluice PATH --from URL            ... and on the tables of a database',
    '       sluice COMMAND [OPERAND] [--flags]',
  ]
  for (const group of GROUPS) {
    const commands = COMMANDS.filter((command) => command.group === group)
    if (commands.length === 0) continue
    lines.push('', group)
    for (const { name, operands, summary } of commands) {
      const call = operands === '' ? name : `${name} ${operandText(operands)}`
      lines.push(`  ${call.padEnd(25)}  ${summary}`.trimEnd())
    }
  }
  lines.push('', 'Flags of every command')
  for (const option of GLOBAL_OPTIONS) lines.push(`  ${shownFlag(option).padEnd(19)} ${option.describe}`)
  lines.push(
    '',
    'TABLE is a path with a _delta_log below it, a table id of the catalog, or the',
    'end of the path of one of its tables, such as sales/orders.',
    'The catalog is --database-url, else $SLUICE_DATABASE_URL, else the config file,',
    'else the one that `sluice PATH` keeps for that lake, once it has made one.',
    'Catalogs: sqlite:///relative.db  sqlite:////absolute.db  duckdb:///file.duckdb',
    '          postgresql://user@host/database  mysql://user@host/database',
    'Copies go between all of these, and to d1://ACCOUNT/DATABASE on Cloudflare.',
    'Exit: 0 done and proved, 1 differences or failed tables, 2 usage, 3 source,',
    '4 target, 5 state, 6 unsupported, 70 a bug, 75 stopped, 130/143 signal.',
    '',
    '`sluice COMMAND --help` shows the flags of a command; `sluice demo` shows all.',
    '',
  )
  return lines.join('\n')
}
