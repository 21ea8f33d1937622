/** All commands in the order of the help, with their options. */
import { commandsOfOperations } from '../../app/operations/facts.ts'
import type { CommandDeclaration } from '../../engine/run/operations/option.ts'
import { GROUPS } from '../../engine/run/operations/pages.ts'
import { OWN_COMMANDS } from './own-commands.ts'

const KNOWN = [...commandsOfOperations(), ...OWN_COMMANDS]

export const COMMANDS: readonly CommandDeclaration[] = GROUPS.flatMap((group) =>
  KNOWN.filter((command) => command.group === group),
)

/** The command with this name, or null. */
export function commandNamed(name: string): CommandDeclaration | null {
  return COMMANDS.find((command) => command.name === name) ?? null
}
