/** Makes texts of SQL definitions comparable: a system adds casts, blanks and brackets that change nothing. */

const CAST =
  /::(?:"[^"]*"|[a-z_][\w$]*)(?:\.(?:"[^"]*"|[a-z_][\w$]*))?(?: (?:varying|precision|with(?:out)? time zone))?(?:\(\d+(?:,\s*\d+)?\))?(?:\[\])*/
/** A cast, a text or quoted name, a word or number, blanks, or one other character. */
const TOKEN = new RegExp(
  String.raw`(?<cast>${CAST.source})|(?<quoted>'(?:[^'\\]|\\.|'')*'|"(?:[^"]|"")*"|${'`'}(?:[^${'`'}]|${'`'}${'`'})*${'`'})|(?<word>[\p{L}\p{N}_$.]+)|(?<blank>\s+)|[\s\S]`,
  'giu',
)

type Token = { readonly text: string; readonly isOperand: boolean }
type Node = Token | readonly Node[]

/**
 * The definition without casts, without blanks outside of texts and quoted names, and without brackets that change
 * nothing: around one operand, around other brackets, or around all of it. Other brackets decide what it means.
 */
export function comparableDefinition(definition: string): string {
  const root: Node[] = []
  const open: Node[][] = [root]
  for (const { 0: text, groups: { cast, quoted, word, blank } = {} } of definition.matchAll(TOKEN)) {
    if (cast !== undefined || blank !== undefined) continue
    const within = open.at(-1) ?? root
    if (text === '(') {
      const group: Node[] = []
      within.push(group)
      open.push(group)
    } else if (text === ')' && open.length > 1) open.pop()
    else within.push({ text, isOperand: quoted !== undefined || word !== undefined })
  }
  return printed(inner(root))
}

/** The content of brackets, without further brackets around all of it. */
function inner(group: readonly Node[]): readonly Node[] {
  const [only] = group
  return group.length === 1 && isGroup(only) ? inner(only) : group
}

function printed(nodes: readonly Node[]): string {
  return nodes
    .map((node, at) => {
      if (!isGroup(node)) return node.text
      const content = inner(node)
      // Brackets behind a word are the arguments of a call, or a list.
      const isBehindWord = isWord(nodes[at - 1])
      return !isBehindWord && isOneOperand(content) ? printed(content) : `(${printed(content)})`
    })
    .join('')
}

/** True for a text, a name, a number, or a call. */
function isOneOperand([first, second, ...others]: readonly Node[]): boolean {
  return isWord(first) && others.length === 0 && (second === undefined || isGroup(second))
}

function isGroup(node: Node | undefined): node is readonly Node[] {
  return Array.isArray(node)
}

function isWord(node: Node | undefined): boolean {
  return node !== undefined && !isGroup(node) && node.isOperand
}
