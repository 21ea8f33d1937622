/** Help of the program, grouped, which yargs cannot do; a test compares it with the commands. */
import { readFileSync } from 'node:fs'
import { GROUPS, PAGES, type CommandPage } from '../engine/run/operations/pages.ts'
import { OWN_COMMANDS } from './own-commands.ts'

const COMMANDS: readonly CommandPage[] = [...Object.values(PAGES), ...OWN_COMMANDS]

/** Version in package.json. */
export function toolVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const { version } = JSON.parse(text) as { readonly version?: unknown }
  return typeof version === 'string' ? version : '0.0.0'
}

/** `<table>` as `TABLE`, `[path]` as `[PATH]`, `[table..]` as `[TABLE]`. */
function operandText(operands: string): string {
  return operands.replaceAll(/[<>]|\.\./g, '').toUpperCase()
}

export const GLOBAL_FLAGS: readonly (readonly [flag: string, meaning: string])[] = [
  ['--database-url URL', 'the catalog; else $SLUICE_DATABASE_URL or the config file'],
  ['--schema NAME', 'schema of a PostgreSQL catalog; else $SLUICE_SCHEMA'],
  ['--config FILE', 'YAML with stores and defaults of flags; else sluice.yaml'],
  ['--no-config', 'read no sluice.yaml, of this folder, above or yours'],
  ['--ci', 'plain text, even in a terminal'],
  ['--json', 'JSON lines on stdout, one object an event'],
  ['--tui', 'the terminal UI, or an error when there is no terminal'],
  ['--background', 'start a run that goes on when the terminal closes'],
  ['--distributed', 'leave a run to workers; --slots N of them, --queue NAME'],
  ['--connect URL', 'the queue of workers; else connect: of the config file'],
  ['--quit', 'leave the Run screen when its run has ended'],
  ['-q, --quiet', 'only errors and the last line'],
  ['-v, --verbose', 'more detail'],
  ['-y, --yes', 'answer yes to questions that destroy nothing'],
  ['--confirm=NAME', 'name of the table that may go (rollback, --drop)'],
  ['--no-input', 'never ask'],
  ['--color=WHEN', 'always, never or auto; --no-color is never'],
  ['--ascii', 'no signs outside ASCII in the terminal UI'],
  ['--log-file FILE', 'write every event to a file too'],
  ['--max-runtime DUR', 'a run stops cleanly after 90s, 30m, 2h (exit 75)'],
  ['--metrics [HOST:]PORT', 'tell Prometheus of a run while it goes on'],
  ['-h, --help', 'this page, or that of a command'],
  ['--version', 'the version, as the first word only'],
]

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
  for (const [flag, meaning] of GLOBAL_FLAGS) lines.push(`  ${flag.padEnd(19)} ${meaning}`)
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
