/** demo: its flags; the implementation is in ../demo.ts. */
import { givenText, requiredText } from '../parse/arguments.ts'
import type { Command } from './command.ts'

const demo: Command = {
  request: (args) => ({ kind: 'demo', lake: givenText(args, 'path') ?? null, folder: requiredText(args, 'dir') }),
}

export const commands = { demo }
