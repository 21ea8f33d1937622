/** What a crash of the server may take back. */

/** A table that a server crash may empty: which one and why, and the statement that prevents it. */
export type Losable = { readonly what: string; readonly remedy: string }
