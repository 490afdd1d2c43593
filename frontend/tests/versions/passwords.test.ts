import { describe, expect, it } from "vitest";

import { writesPasswords } from "../../src/versions/passwords";

describe("a shared text", () => {
  it.each([
    "      POSTGRES_PASSWORD: ${DB_PASSWORD:-1daad0}", "      - DB_PASSWORD=hunter2", '      "API_TOKEN": "abc"', "  environment: { SECRET_KEY: abc }",
    "      MYSQL_PASSWORD: 'x y'",
  ])("is known to hold a password: %s", (line) => expect(writesPasswords(`services:\n${line}\n`)).toBe(true));

  it.each([
    "      POSTGRES_PASSWORD: ${DB_PASSWORD}", "      POSTGRES_PASSWORD: ${DB_PASSWORD:?set it}", "    secrets: [password]", "secrets:",
    "      POSTGRES_PASSWORD_FILE: /run/secrets/password", "      - DB_PASSWORD", "# password: none", "      MARIADB_RANDOM_ROOT_PASSWORD: \"1\"",
    "  password:", "  secret: { file: ./secret.txt }", "    image: nginx",
  ])("is not accused for: %s", (line) => expect(writesPasswords(`services:\n${line}\n`)).toBe(false));

  it("of a megabyte is looked through at once", () => {
    const began = process.cpuUsage().user;
    writesPasswords("password".repeat(131_072));
    writesPasswords("token:\n".repeat(150_000));
    expect(process.cpuUsage().user - began).toBeLessThan(1_000_000);
  });
});
