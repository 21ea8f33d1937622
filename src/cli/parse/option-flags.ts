/** Declares options for yargs. */
import type { Argv, Options } from 'yargs'
import { ALERT_FLAGS } from '../../engine/run/operations/words.ts'
import type { CommandDeclaration, Option } from '../../engine/run/operations/option.ts'
import type { ConfigDefaults } from '../config/config.ts'

/** Value of an option in the config file. */
type Configured = string | number | boolean | string[] | undefined

/**
 * Declares the operands and options of a command, with the defaults of the config file.
 * @param help which options the help page shows. null: none, because yargs also renders a page that is not printed
 */
export function declareCommand(
  yargs: Argv,
  command: CommandDeclaration,
  defaults: ConfigDefaults,
  help: 'first' | 'all' | null,
): void {
  const left = new Set(help === 'all' ? [] : help === 'first' ? hiddenOptions(command) : command.takes)
  for (const option of command.takes) {
    if (option.operand === true) declareOperand(yargs, option)
    else yargs.option(option.name, yargsOption({ ...option, ...(left.has(option) ? { hidden: true } : {}) }, defaults))
  }
  const said = [command.epilogue, ...(help === 'all' ? [command.notes] : [])].filter((text) => text !== undefined)
  if (said.length > 0) yargs.epilogue(said.join('\n'))
}

/** Options that only `--help=all` shows: options of alerts, and all options not in `first` if the command has it. */
export function hiddenOptions({ takes, first }: CommandDeclaration): readonly Option[] {
  return takes.filter(
    ({ name, operand, hidden }) =>
      operand !== true &&
      hidden !== true &&
      (ALERT_FLAGS.includes(name) || (first !== undefined && !first.includes(name))),
  )
}

function declareOperand(yargs: Argv, { name, type, describe }: Option): void {
  yargs.positional(name, { type: 'string', ...(type === 'list' ? { array: true } : {}), describe })
}

/** One option in the form of yargs. */
export function yargsOption(option: Option, defaults: ConfigDefaults): Options {
  const { alias, group, required, hidden, describe } = option
  const configured = option.config === undefined ? undefined : configuredFor(option.name, defaults)
  const own = option.type === 'list' ? [] : option.default
  const value = option.config === 'default' ? (configured ?? own) : own
  const words = shownDefault(option, configured)
  return {
    ...YARGS_TYPES[option.type],
    ...(option.type === 'choice' ? { choices: option.choices ?? [] } : {}),
    ...(alias === undefined ? {} : { alias }),
    ...(group === undefined ? {} : { group }),
    ...(value === undefined ? {} : { default: value }),
    ...(words === undefined ? {} : { defaultDescription: words }),
    ...(required === true ? { demandOption: true } : {}),
    ...(hidden === true ? { hidden: true } : { describe }),
  }
}

/** A list has one word per flag; otherwise yargs would read all following words as its values. */
const YARGS_TYPES: Readonly<Record<Option['type'], Options>> = {
  text: { type: 'string', requiresArg: true },
  number: { type: 'number', requiresArg: true },
  flag: { type: 'boolean' },
  choice: { requiresArg: true },
  list: { array: true, string: true, nargs: 1, requiresArg: true },
}

/** Text of the default in the help; undefined if yargs shows its own default. */
function shownDefault({ type, config, fallback, shown }: Option, configured: Configured): string | undefined {
  if (Array.isArray(configured)) {
    if (type === 'list') return configured.join(', ')
  } else if (configured !== undefined && config === 'shown') return `${configured}`
  return shown ?? (fallback === undefined ? undefined : `${fallback}`)
}

/** Name of an option in messages. */
export function shownOption({ name, operand }: Option): string {
  return operand === true ? name.toUpperCase() : `--${name}`
}

/** Value of an option in the config file. */
export function configuredFor(name: string, defaults: ConfigDefaults): Configured {
  const value = Object.entries(defaults).find(([key]) => key === name)?.[1]
  return typeof value === 'object' && !Array.isArray(value) ? undefined : value
}
