/** Tokens from the bytes of a terminal, complete or split anywhere. */
import { expect, it } from 'vitest'
import { InputGrammar, LONGEST_PASTE, type InputToken } from '../../src/shared/terminal/input-grammar.ts'

const short = (token: InputToken): string => {
  switch (token.kind) {
    case 'text':
      return JSON.stringify(token.text)
    case 'key':
      return token.press.typed === '' ? token.press.name : `${token.press.name}=${token.press.typed}`
    case 'alt':
      return `alt-${token.name}`
    case 'paste':
      return `paste ${JSON.stringify(token.text)}`
    default:
      return token.kind === 'esc' ? 'esc' : '-'
  }
}

/** Joins adjacent texts, wherever they were split. */
function joined(tokens: readonly InputToken[]): readonly InputToken[] {
  return tokens.reduce<InputToken[]>((all, token) => {
    const last = all.at(-1)
    if (token.kind !== 'text' || last?.kind !== 'text') return [...all, token]
    return [...all.slice(0, -1), { kind: 'text', text: last.text + token.text }]
  }, [])
}

function readIn(pieces: readonly Uint8Array[]): string {
  const grammar = new InputGrammar()
  const tokens = pieces.flatMap((piece) => grammar.push(piece))
  return joined([...tokens, ...grammar.end()])
    .map(short)
    .join(' ')
}

const E = '\u001b'
/** Bytes as given; a string is encoded as UTF-8. */
const bytes = (input: string | readonly number[]): Buffer => Buffer.from(input as string)
const raw = (input: string): readonly number[] => [...Buffer.from(input, 'latin1')]

const TABLE: readonly (readonly [input: string | readonly number[], tokens: string])[] = [
  // Keys.
  ['j', '"j"'],
  ['né日👩‍👩‍👧', '"né日👩‍👩‍👧"'],
  ['\r\t\u007f\u0003', String.raw`"\r\t` + '\u007f' + String.raw`\u0003"`],
  [E, 'esc'],
  [E + E, 'esc esc'],
  [E + E + E, 'esc esc esc'],
  [`${E}[A${E}[B${E}[C${E}[D${E}[H${E}[F`, 'up down right left home end'],
  [`${E}OA${E}OB${E}OC${E}OD${E}OH${E}OF`, 'up down right left home end'],
  [`${E}[1~${E}[2~${E}[3~${E}[4~${E}[5~${E}[6~${E}[7~${E}[8~`, 'home insert delete end pageup pagedown home end'],
  [`${E}[Z`, 'shift-tab'],
  [`${E}OP${E}OR${E}[15~${E}[24~${E}[1;5P${E}[[A${E}[[E`, 'f1 f3 f5 f12 f1 f1 f5'],
  [`${E}[1;5C${E}[1;3A${E}[5;2~${E}O5D`, 'right up pageup left'],
  [`${E}[a${E}Oc${E}[7$${E}[5^${E}[8@${E}[[5~`, 'up right home pageup end pageup'],
  [E + E + `[A`, 'up'],
  [`${E}b${E}B${E}é${E}👍`, 'alt-b alt-B alt-é alt-👍'],
  [`${E}\r${E}\t${E} ${E}\u007f`, 'alt-enter alt-tab alt-space alt-ctrl'],
  [`${E}(${E}/`, 'alt-( alt-/'],
  // Character sets and other escapes with an intermediate byte.
  [`${E}(Bj${E}#8j${E} Gj${E}$(Cj${E}${E}(Bj`, '- "j" - "j" - "j" - "j" esc - "j"'],
  [`${E}$(`, '-'],
  [raw('\u009bA\u008fB\u009b3~'), 'up down delete'],
  ['\u009bA\u008fB', 'up down'],
  // The kitty protocol, and xterm's modified keys.
  [`${E}[97u${E}[97;2u${E}[97:65;2u${E}[97;;97u${E}[228u`, 'a=a A=A A=A a=a ä=ä'],
  [`${E}[99;5u${E}[106;3u${E}[13u${E}[27u${E}[9u${E}[9;2u${E}[127u${E}[32u`, 'ctrl-c alt-j enter esc tab shift-tab backspace space= '], // prettier-ignore
  [`${E}[97;1:1u${E}[97;1:2u${E}[97;1:3u${E}[1;1:3A${E}[1;1:1A`, 'a=a a=a - - up'],
  [`${E}[57399u${E}[57414u${E}[57419u${E}[57441;2u${E}[57358u${E}[97;9u`, '0=0 enter up - - -'],
  [`${E}[97;65u${E}[97;129u${E}[99;69u`, 'a=a a=a ctrl-c'],
  [`${E}[27;5;99~${E}[27;2;65~${E}[27;3;13~`, 'ctrl-c A=A alt-enter'],
  [`${E}[1114112u${E}[55296u${E}[3u${E}[133u${E}[0u${E}[?5u`, '- - - - - -'],
  // Reports and replies.
  [`${E}[<35;10;6M${E}[<0;1;1m`, '- -'],
  [`${E}[M !!j`, '- "j"'],
  [[...raw(`${E}[M`), 0x60, 0xff, 0xa1, 0x6a], '- "j"'],
  [[...raw(`${E}[M`), 0x20, 0x9b, 0x9b, 0x6a], '- "j"'],
  [`${E}[M ĀĀj`, '- "j"'],
  [`${E}[M ${E}[A`, '- up'],
  [`${E}[32;10;6M${E}[I${E}[O`, '- - -'],
  [`${E}[?1;2c${E}[>41;380;0c${E}[=1c${E}[0n${E}[6;10R${E}[1;5R${E}[?6;10R`, '- - - - - - -'],
  [`${E}[?2004;1$y${E}[4;1$y${E}[8;24;80t${E}[?64;1;2c`, '- - - -'],
  [`${E}]11;rgb:ffff/ffff/ffff${E}\\q`, '- "q"'],
  [`${E}]10;rgb:0/0/0\u0007${E}]52;c;cXVpdA==\u0007q`, '- - "q"'],
  [`${E}P1+r544e=71${E}\\${E}P>|x${E}\\${E}_Gi=1;OK${E}\\${E}^x${E}\\${E}Xx${E}\\q`, '- - - - - "q"'],
  [raw('\u009d11;rgb\u009cq\u0090x\u009cq\u009fq\u009c\u0098q\u009c\u009eq\u009c'), '- "q" - "q" - - -'],
  ['\u009d11;rgb\u009cq', '- "q"'],
  [`${E}]11;${E}[A`, '- up'],
  [`${E}]11;\u0018q${E}P\u001aq`, '- "q" - "q"'],
  [`${E}[1;\rq`, '- "q"'],
  [`${E}[1;${E}[A`, '- up'],
  [raw('\u001b[1;\u009bA'), '- up'],
  [`${E}[12x${E}[>0q${E}[?7;1z${E}Ox${E}OM`, '- - - - -'],
  [`${E}[${'1;'.repeat(5000)}A`, '-'],
  [`${E}[201~q`, '- "q"'],
  [raw('\u0080\u0085\u009c'), '- - -'],
  [`${E}\u009bA`, 'esc up'],
  // Incomplete sequences.
  [`${E}[`, '-'],
  [`${E}[1;2`, '-'],
  [`${E}O`, '-'],
  [`${E}[M `, '-'],
  [`${E}]11;rgb`, '-'],
  [`${E}]11;rgb${E}`, '-'],
  [[0xe6, 0x97], '-'],
  // Invalid UTF-8.
  [[0x61, 0xff, 0x62], '"a�b"'],
  [[0xc3, 0x6a], '"�j"'],
  [[0xed, 0xa0, 0xa0], '"��" "�"'.replace('" "', '')],
  // Pastes.
  [`${E}[200~a\r\nb${E}[A\u0003${E}[201~j`, `paste ${JSON.stringify(`a\r\nb${E}[A\u0003`)} "j"`],
  [`${E}[200~${E}[200~a${E}[201~${E}[201~`, `paste ${JSON.stringify(`${E}[200~a`)} -`],
  [`${E}[200~${E}[201~`, 'paste ""'],
  [`${E}[200~a${E}[20`, 'paste "a"'],
  [`${E}[200~a${E}`, 'paste "a"'],
  [`${E}[200~a`, 'paste "a"'],
  [raw('\u009b200~a\u009b201~j'), 'paste "a" "j"'],
  [`${E}[200~日本${E}[201~`, 'paste "日本"'],
]

it.each(TABLE)('%j is %s', (input, tokens) => {
  const whole = bytes(input)
  expect(readIn([whole])).toBe(tokens)
  if (whole.length > 400) return
  for (let at = 1; at < whole.length; at += 1)
    expect([at, readIn([whole.subarray(0, at), whole.subarray(at)])]).toEqual([at, tokens])
  expect(readIn(Array.from(whole, (byte) => Buffer.from([byte])))).toBe(tokens)
})

it('a paste of 10 MB is dropped as a whole within seconds', () => {
  const grammar = new InputGrammar()
  const began = performance.now()
  const tokens: InputToken[] = [...grammar.push(Buffer.from(`${E}[200~`))]
  for (let i = 0; i < 2560; i += 1) tokens.push(...grammar.push(Buffer.alloc(4096, 'q')))
  tokens.push(...grammar.push(Buffer.from(`${E}[201~j`)))
  expect(tokens).toEqual([
    { kind: 'paste', text: null },
    { kind: 'text', text: 'j' },
  ])
  const once = new InputGrammar().push(Buffer.from(`${E}[200~${'日'.repeat(3_500_000)}${E}[201~`))
  expect(once).toEqual([{ kind: 'paste', text: null }])
  expect(performance.now() - began).toBeLessThan(5000)
  const longest = 'x'.repeat(LONGEST_PASTE)
  expect(new InputGrammar().push(Buffer.from(`${E}[200~${longest}${E}[201~`))).toEqual([
    { kind: 'paste', text: longest },
  ])
})
