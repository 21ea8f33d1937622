/** Reads one line typed at a prompt of the command line. */
import { createInterface } from 'node:readline/promises'
import { Readable } from 'node:stream'
import { fieldText } from '../../shared/terminal/field-text.ts'
import { oneRead, type Input } from '../../shared/terminal/one-read.ts'
import { ENTER_INPUT, LEAVE_INPUT, TerminalInput } from '../../shared/terminal/terminal-input.ts'
import type { CliContext } from '../ports.ts'

type Terminal = ReturnType<typeof createInterface>

/**
 * Asks, and waits for a line ended by the enter key. Pasted line breaks do not end it; terminal reports are ignored.
 * @returns the line; '' for the end of the input (ctrl-d), null for ctrl-c
 */
export async function readLine(
  question: string,
  { stdin, stderr }: Pick<CliContext, 'stdin' | 'stderr'>,
): Promise<string | null> {
  const setRawMode = (isRaw: boolean): void => {
    if (!stdin.isTTY) return
    stdin.setRawMode(isRaw)
    stderr.write(isRaw ? ENTER_INPUT : LEAVE_INPUT)
  }
  const onExit = (): void => setRawMode(false)
  process.on('exit', onExit)
  // Node's line editor would treat unknown input as text, so it gets keys one by one. It calls `setRawMode`, also when
  // the program is suspended.
  const keys = Object.assign(new Readable({ read: () => undefined }), { isTTY: true, setRawMode })
  const terminal = createInterface({ input: keys, output: stderr, terminal: true })
  const input = new TerminalInput(stdin, (read) => {
    for (const one of oneRead(read, true).inputs) type(terminal, one)
  })
  const end = (): void => terminal.close()
  stdin.once('end', end)
  input.open()
  try {
    return await new Promise<string | null>((resolve, reject) => {
      terminal.once('SIGINT', () => resolve(null))
      terminal.once('close', () => resolve(''))
      terminal.question(question).then(resolve, reject)
    })
  } finally {
    process.off('exit', onExit)
    stdin.off('end', end)
    terminal.close()
    input.close()
  }
}

/** Key names of Node's line editor, by our key names. Only `enter` has another name there. */
const NAMES: Readonly<Record<string, string>> = {
  enter: 'return',
  ...Object.fromEntries('backspace delete left right up down home end'.split(' ').map((name) => [name, name])),
}

function type(terminal: Terminal, input: Input): void {
  if (input.kind === 'text') {
    const text = fieldText(input.text)
    if (text !== '') terminal.write(text)
    return
  }
  const { name, typed } = input.press
  const known = NAMES[name]
  if (typed !== '') terminal.write(typed)
  else if (known !== undefined) terminal.write('', { name: known })
  else if (/^ctrl-[a-z]$/.test(name)) terminal.write('', { ctrl: true, name: name.slice(-1) })
}
