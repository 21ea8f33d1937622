/** Manual pages in roff, made from the declarations: one for the program and one per command. */
import { actionsOf } from '../../app/operations/facts.ts'
import { examplesOf } from '../../app/operations/examples.ts'
import { GLOBAL_OPTIONS, shownFlag } from '../../engine/run/operations/global-options.ts'
import type { CommandDeclaration, Option } from '../../engine/run/operations/option.ts'
import { GROUPS } from '../../engine/run/operations/pages.ts'
import { COMMANDS } from '../parse/command-list.ts'
import { shellRows } from './examples.ts'
import { EXIT_CODES } from './exit-codes.ts'

const VARIABLES: readonly (readonly [name: string, meaning: string])[] = [
  ['SLUICE_DATABASE_URL', 'URL of the catalog, if --database-url is not given'],
  ['SLUICE_SCHEMA', 'schema of a PostgreSQL catalog'],
  ['DATABASE_URL', 'URL of the source of a copy, if --from is not given'],
  ['SLUICE_PROGRAM', 'name of the program in hints, if another program starts it'],
]

/** Escapes a text for roff: no line is read as a request, and dashes stay ASCII for the shell. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('`', '\\(ga')
    .replaceAll("'", '\\(aq')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replaceAll(
      /[^\u0000-\u007f]/gu,
      (sign) => `\\[u${(sign.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`,
    )
    .replaceAll(/^\./gm, '\\&.')
}

const bold = (text: string): string => `\\fB${roff(text)}\\fR`
const heading = (text: string): string => `.SH ${roff(text.toUpperCase())}`

/** File name of a manual page. */
export const manFile = (command: string | null): string => (command === null ? 'sluice.1' : `sluice-${command}.1`)

/** @param command null for the page of the program @param version of the program */
export function manPage(command: CommandDeclaration | null, version: string): string {
  const lines = command === null ? programPage(version) : commandPage(command, version)
  return `${lines.join('\n')}\n`
}

function title(name: string, version: string): string {
  return `.TH ${roff(name.toUpperCase())} 1 "" "sluice ${roff(version)}" "sluice"`
}

function programPage(version: string): readonly string[] {
  return [
    title('sluice', version),
    heading('name'),
    `sluice \\- ${roff('Delta logs into SQL catalogs, tables between databases, old partitions to Parquet')}`,
    heading('synopsis'),
    '.nf',
    `${bold('sluice')} [PATH|URL] [\\-\\-from URL]`,
    `${bold('sluice')} COMMAND [OPERAND] [\\-\\-flags]`,
    '.fi',
    heading('description'),
    roff(
      'Without a command the terminal UI is opened on a lake or a database. TABLE is a path with a _delta_log below it, a table id of the catalog, or the end of the path of one of its tables, such as sales/orders.',
    ),
    '.PP',
    roff(
      'The catalog is --database-url, else $SLUICE_DATABASE_URL, else the config file, else the one that `sluice PATH` keeps for that lake, once it has made one.',
    ),
    ...GROUPS.flatMap((group) => [
      heading(group),
      ...COMMANDS.filter((one) => one.group === group).flatMap((one) => [
        '.TP',
        `${bold(`sluice-${one.name}`)}(1)`,
        roff(one.summary),
      ]),
    ]),
    heading('flags of every command'),
    ...GLOBAL_OPTIONS.flatMap((option) => ['.TP', bold(shownFlag(option)), roff(option.describe)]),
    ...rest(),
  ]
}

function commandPage(command: CommandDeclaration, version: string): readonly string[] {
  const { name, operands, summary, takes, epilogue = '', notes = '' } = command
  const words = operands.replaceAll(/[<>]/g, '').toUpperCase()
  const actions = [...new Set(actionsOf(name).map((action) => action.name))]
  const shown = takes.filter(({ hidden }) => hidden !== true)
  const positional = shown.filter(({ operand }) => operand === true)
  const groups = grouped(shown)
  return [
    title(`sluice-${name}`, version),
    heading('name'),
    `sluice\\-${roff(name)} \\- ${roff(summary)}`,
    heading('synopsis'),
    `${bold(`sluice ${name}`)}${words === '' ? '' : ` ${roff(words)}`} [\\-\\-flags]`,
    ...(actions.length === 0 ? [] : [heading('actions'), roff(actions.join(', '))]),
    ...(positional.length === 0 ? [] : [heading('operands'), ...positional.flatMap(entry)]),
    ...groups.flatMap(([group, options]) => [heading(group.replace(/:$/, '')), ...options.flatMap(entry)]),
    ...(`${epilogue}${notes}` === '' ? [] : [heading('notes'), roff(`${epilogue}${notes}`.trim())]),
    heading('examples'),
    '.nf',
    ...examplesOf(name).flatMap((line) => shellRows(line, 72).map(roff)),
    '.fi',
    ...rest(),
  ]
}

function grouped(options: readonly Option[]): readonly (readonly [group: string, options: readonly Option[]])[] {
  const groups = new Map<string, Option[]>()
  for (const option of options) {
    if (option.operand === true) continue
    const group = option.group ?? 'Options:'
    groups.set(group, [...(groups.get(group) ?? []), option])
  }
  return [...groups]
}

function entry(option: Option): readonly string[] {
  const { name, alias, type, operand, choices = [], describe } = option
  const called = [alias, name]
    .filter((one) => one !== undefined)
    .map((one) => (operand === true ? one.toUpperCase() : `${one.length === 1 ? '-' : '--'}${one}`))
  const value =
    operand === true || type === 'flag' ? '' : ` ${(option.unit ?? type).toUpperCase().replaceAll(' ', '-')}`
  const said = option.shown ?? option.default ?? option.fallback
  const more = [
    ...(choices.length === 0 ? [] : [`One of ${choices.join(', ')}.`]),
    ...(said === undefined || said === false ? [] : [`Default: ${String(said)}.`]),
  ]
  return ['.TP', `${bold(called.join(', '))}${roff(value)}`, roff([describe, ...more].join('. ').replaceAll('..', '.'))]
}

function rest(): readonly string[] {
  return [
    heading('exit status'),
    ...EXIT_CODES.flatMap(({ code, meaning }) => ['.TP', bold(`${code}`), roff(meaning)]),
    heading('environment'),
    ...VARIABLES.flatMap(([name, meaning]) => ['.TP', bold(name), roff(meaning)]),
    heading('files'),
    '.TP',
    bold('sluice.yaml'),
    roff(
      'stores by name and defaults of flags: in the current folder or one above it, else in $XDG_CONFIG_HOME/sluice. It is read only if no other user may write it; --config names another file, --no-config reads none.',
    ),
  ]
}
