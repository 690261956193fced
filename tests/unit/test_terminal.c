/* The answers of terminals, read out of what they send. */
#include "../../cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define KITTY "\033_Gi=31;OK\033\\"

static void answers_of_each_kind(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        terminal_answers answers;
    } rows[] = {
        {"", {0}},
        {"\033[?62;c", {.complete = true}},
        {"\033[?6c", {.complete = true}},
        {"\033[?c", {.complete = true}},
        {"\033[?62;4;22c", {.complete = true, .sixel = true}},
        {"\033[?4c", {.complete = true}},           /* a VT132, not sixel */
        {"\033[?62;14;44;40c", {.complete = true}}, /* other numbers with a 4 */
        {"\033[>41;4;0c", {0}},                     /* secondary attributes */
        {"\033[4c", {0}},
        {KITTY "\033[?62;c", {.complete = true, .kitty = true}},
        {"\033_Gi=31;ENOTSUPPORTED:no\033\\\033[?62;c", {.complete = true}},
        {"\033_Gi=32;OK\033\\\033[?62;c", {.complete = true}},
        {"\033P>|iTerm2 3.4.19\033\\\033[?62;4c", {.complete = true, .sixel = true, .iterm = true}},
        {"\033P>|notiTerm2 1\033\\\033[?62c", {.complete = true}},
        {"\033P>|tmux 3.3a\033\\\033[?1;2c", {.complete = true, .tmux = true}},
        {"\033[4;480;640t\033[6;20;10t\033[?1;2c",
         {.complete = true, .window_width = 640, .window_height = 480, .cell_width = 10, .cell_height = 20}},
        {"\033[6;0;10t\033[4;99999999999999999999;640t\033[?1c", {.complete = true}},
        {"\033[6;20t\033[6;20;10;5t\033[8;24;80t\033[?1c", {.complete = true}},
        {"typed\r\033[A\033OP\033" KITTY "more\033[?1c", {.complete = true, .kitty = true}},
        {"\033[?1c" KITTY, {.complete = true}}, /* after the end */
        {"\033_Gi=31;OK\033[?1;4c", {.complete = true, .kitty = true, .sixel = true}}, /* a string without an end */
        {"\033P>|iTerm2 3\033[?1c", {.complete = true, .iterm = true}},
        {"\033[?1;2\033[?1;4c", {.complete = true, .sixel = true}}, /* a broken sequence before a whole one */
        {"\033[?62;4", {0}},
        {"\033_Gi=31;OK", {0}},
        {"\033", {0}},
        {"\033[", {0}},
        {"\033[c", {0}},
        {"\033[\377", {0}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const terminal_answers *expected = &rows[i].answers;
        terminal_answers answers;
        memset(&answers, 0x55, sizeof answers);
        answers_parse(rows[i].bytes, strlen(rows[i].bytes), &answers);
        assert_int_equal(answers.complete, expected->complete);
        assert_int_equal(answers.kitty, expected->kitty);
        assert_int_equal(answers.iterm, expected->iterm);
        assert_int_equal(answers.sixel, expected->sixel);
        assert_int_equal(answers.tmux, expected->tmux);
        assert_int_equal(answers.window_width, expected->window_width);
        assert_int_equal(answers.window_height, expected->window_height);
        assert_int_equal(answers.cell_width, expected->cell_width);
        assert_int_equal(answers.cell_height, expected->cell_height);
    }
}

/* Read byte by byte, the wait ends with the last byte and not before. */
static void the_last_byte_completes(void **state)
{
    (void)state;
    static const char bytes[] = "x" KITTY "\033P>|XTerm(379)\033\\\033[6;20;10t\033[?64;1;4c";
    terminal_answers answers;
    for (size_t size = 0; size < sizeof bytes; size++) {
        answers_parse(bytes, size, &answers);
        assert_int_equal(answers.complete, size == sizeof bytes - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_of_each_kind),
        cmocka_unit_test(the_last_byte_completes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
