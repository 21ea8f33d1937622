/** String literals in definitions of SQLite. */

const PARTS = /'[^']*(?:''[^']*)*'|\[[^\]]*\]|`[^`]*(?:``[^`]*)*`|--[^\n]*|\/\*[^]*?\*\/|"([^"]*(?:""[^"]*)*)"/g
const ROWIDS = ['rowid', '_rowid_', 'oid']

/**
 * An expression with each string literal in single quotes. SQLite reads a name in double quotes that no column has as a
 * literal, but a database may refuse this, as all that sluice opens do.
 */
export function withSingleQuotes(sql: string, columns: readonly { readonly name: string }[]): string {
  const names = new Set([...ROWIDS, ...columns.map(({ name }) => name.toLowerCase())])
  return sql.replaceAll(PARTS, (part: string, quoted: string | undefined, at: number) => {
    const name = quoted?.replaceAll('""', '"')
    if (name === undefined || names.has(name.toLowerCase())) return part
    const isOther = /\bCOLLATE\s*$/i.test(sql.slice(0, at)) || /^\s*[.(]/.test(sql.slice(at + part.length))
    return isOther ? part : `'${name.replaceAll("'", "''")}'`
  })
}
