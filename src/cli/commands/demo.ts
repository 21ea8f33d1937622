/** demo: its flags; the implementation is in ../demo.ts. */
import { optionalText, text } from '../arguments.ts'
import type { Command } from './command.ts'

const demo: Command = {
  request: (args) => ({ kind: 'demo', lake: optionalText(args, 'path') ?? null, folder: text(args, 'dir') }),
}

export const commands = { demo }
