/** The command line as a JSON document, for `--help --json`; its schema is docs/command-line.schema.json. */
import { ACTION_SUMMARIES } from '../../app/operations/action-pages.ts'
import { examplesOf } from '../../app/operations/examples.ts'
import { actionsOf, optionNamesOf } from '../../app/operations/facts.ts'
import { GLOBAL_OPTIONS } from '../../engine/run/operations/global-options.ts'
import type { CommandDeclaration, Option } from '../../engine/run/operations/option.ts'
import { COMMANDS } from '../parse/command-list.ts'
import { EXIT_CODES } from './exit-codes.ts'
import { hiddenOptions } from '../parse/option-flags.ts'

export type DocumentedOption = {
  /** Name of the option, without dashes. */
  readonly name: string
  readonly alias: string | null
  readonly type: 'text' | 'number' | 'flag' | 'choice'
  /** Unit or format of the value, such as `duration` or `bytes`. */
  readonly unit: string | null
  readonly choices: readonly string[]
  /** Bounds of a number; `least` of a duration is in milliseconds. */
  readonly least: number | null
  readonly most: number | null
  /** Default without the config file. */
  readonly default: string | number | boolean | null
  /** Text for a default that is not one value. */
  readonly defaultText: string | null
  readonly description: string
  /** Heading on the page. */
  readonly group: string | null
  readonly repeatable: boolean
  readonly required: boolean
  /** False: only `--help=all` shows the option. */
  readonly first: boolean
  /** True: no page shows the option. */
  readonly hidden: boolean
}

type DocumentedPositional = Pick<
  DocumentedOption,
  'name' | 'type' | 'choices' | 'description' | 'repeatable' | 'required'
>

export type DocumentedCommand = {
  readonly name: string
  readonly group: string
  readonly summary: string
  /** How the command is called: `sluice import <table>`. */
  readonly usage: string
  readonly positionals: readonly DocumentedPositional[]
  readonly options: readonly DocumentedOption[]
  /** Actions, which are values of the first positional, with the names of their options. */
  readonly actions: readonly {
    readonly name: string
    /** Option that distinguishes this action from another action of the same name; null if the name is enough. */
    readonly withOption: string | null
    readonly summary: string | null
    readonly options: readonly string[]
  }[]
  readonly examples: readonly string[]
  readonly notes: string | null
}

export type CommandLineDocument = {
  readonly format: 'sluice-command-line'
  readonly version: 1
  /** Version of the program. */
  readonly tool: string
  readonly commands: readonly DocumentedCommand[]
  /** Options of every command. */
  readonly globalOptions: readonly DocumentedOption[]
  readonly exitCodes: readonly { readonly code: number; readonly meaning: string }[]
}

/** @param command null for all commands @param tool version of the program */
export function commandLineDocument(command: CommandDeclaration | null, tool: string): CommandLineDocument {
  return {
    format: 'sluice-command-line',
    version: 1,
    tool,
    commands: (command === null ? COMMANDS : [command]).map(documented),
    globalOptions: GLOBAL_OPTIONS.map((option) => optionOf(option, true)),
    exitCodes: EXIT_CODES,
  }
}

function documented(command: CommandDeclaration): DocumentedCommand {
  const { name, operands, group, summary, takes, epilogue = '', notes = '' } = command
  const later = new Set(hiddenOptions(command))
  const said = `${epilogue}${notes}`.trim()
  return {
    name,
    group,
    summary,
    usage: `sluice ${name} ${operands}`.trim(),
    positionals: takes.filter(({ operand }) => operand === true).map((option) => positionalOf(command, option)),
    options: takes
      .filter(({ operand }) => operand !== true)
      .map((option) => optionOf(option, option.hidden !== true && !later.has(option))),
    actions: actionsOf(name).map((action) => ({
      name: action.name,
      withOption: action.flag,
      summary: ACTION_SUMMARIES[`${name} ${action.name}${action.flag === null ? '' : ` --${action.flag}`}`] ?? null,
      options: [...optionNamesOf(action)],
    })),
    examples: examplesOf(name),
    notes: said === '' ? null : said,
  }
}

function positionalOf({ name: command, operands }: CommandDeclaration, option: Option): DocumentedPositional {
  const { name, describe } = option
  const actions = name === 'action' ? [...new Set(actionsOf(command).map((action) => action.name))] : []
  return {
    name,
    type: typeOf(option),
    choices: option.choices ?? actions,
    description: describe,
    repeatable: operands.includes(`${name}..`),
    required: operands.includes(`<${name}`),
  }
}

function optionOf(option: Option, first: boolean): DocumentedOption {
  return {
    name: option.name,
    alias: option.alias ?? null,
    type: typeOf(option),
    unit: option.unit ?? null,
    choices: option.choices ?? [],
    least: option.least ?? null,
    most: option.most ?? null,
    default: option.default ?? option.fallback ?? null,
    defaultText: option.shown ?? null,
    description: option.describe,
    group: option.group?.replace(/:$/, '') ?? null,
    repeatable: option.type === 'list',
    required: option.required === true,
    first,
    hidden: option.hidden === true,
  }
}

/** Returns the type of an option; a list is documented as a repeatable text. */
function typeOf({ type }: Option): DocumentedOption['type'] {
  return type === 'list' ? 'text' : type
}
